{{/*
What all pods of this chart have in common: Pod Security `restricted`, no token, and no service links
(ORDERS_PORT=tcp://... is nothing a process should find in its environment).
*/}}

{{/* Of (dict "root" $ "own" MAP): the beginning of a pod's spec; MAP says where it may run. */}}
{{- define "borough.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
# A question to the DNS that is lost costs 1 s and not 5, which would be as long as a pod that goes is
# still served: who looks its address up again has to hear of it in time.
dnsConfig:
  options: [{name: timeout, value: "1"}, {name: attempts, value: "3"}]
securityContext:
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
  {{- if eq .root.Values.store.kind "sqlite" }}
  {{- with .root.Values.store.sqlite.fsGroup }}
  fsGroup: {{ int64 . }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  {{- end }}
{{- include "borough.placement" . }}
{{- end -}}

{{/* Of the same: where it runs, and how it gets its image; nothing by default. */}}
{{- define "borough.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $.own $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where Jobs, tests and the database may run: as the parts do, but for how parts keep apart. */}}
{{- define "borough.anywhere" -}}
{{- omit .Values.defaults "affinity" | toJson -}}
{{- end -}}

{{- define "borough.container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Of requests and limits: the same without what is null, which is how one takes a default away. */}}
{{- define "borough.resources" -}}
{{- $left := dict -}}
{{- range $kind, $amounts := . -}}
{{- range $resource, $amount := $amounts -}}
{{- if not (kindIs "invalid" $amount) -}}
{{- $_ := set $left $kind (merge (dict $resource $amount) (get $left $kind | default dict)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $left -}}
{{- end -}}

{{- define "borough.tmp" -}}
- name: tmp
  emptyDir: {sizeLimit: 32Mi}
{{- end -}}

{{/* Entries of `env`: how a process reaches the stores; each capability is a role of its own. */}}
{{- define "borough.store" -}}
{{- $name := include "borough.fullname" . -}}
{{- if eq .Values.store.kind "postgres" -}}
- name: POSTGRES_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "borough.postgresSecret" . }}, key: password}}
- name: BOROUGH_STORE
  value: postgresql://{capability}:$(POSTGRES_PASSWORD)@{{ $name }}-postgres/borough
{{- else if eq .Values.store.kind "external" -}}
- name: BOROUGH_STORE
  valueFrom: {secretKeyRef: {name: {{ .Values.store.existingSecret }}, key: url}}
{{- else -}}
- name: BOROUGH_STORE
  value: sqlite:////data
{{- end -}}
{{- end -}}

{{/* SQLite's files, as a volume and as a mount; nothing for the others. */}}
{{- define "borough.storeVolume" -}}
{{- if eq .Values.store.kind "sqlite" -}}
- name: data
  persistentVolumeClaim: {claimName: {{ include "borough.fullname" . }}-data}
{{- end -}}
{{- end -}}

{{- define "borough.storeMount" -}}
{{- if eq .Values.store.kind "sqlite" -}}
- {name: data, mountPath: /data}
{{- end -}}
{{- end -}}

{{/*
Entries of `env`: by whom a migration makes the roles and schemas that there are not; nothing where
they must be created by hand.
*/}}
{{- define "borough.administrator" -}}
{{- if eq .Values.store.kind "postgres" -}}
- name: POSTGRES_ADMIN_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "borough.postgresSecret" . }}, key: admin-password}}
- name: MIGRATION_ADMIN
  value: postgresql://postgres:$(POSTGRES_ADMIN_PASSWORD)@{{ include "borough.fullname" . }}-postgres/borough
{{- else if .Values.store.existingAdminSecret -}}
- name: MIGRATION_ADMIN
  valueFrom: {secretKeyRef: {name: {{ .Values.store.existingAdminSecret }}, key: url}}
{{- end -}}
{{- end -}}

{{/*
Of (dict "root" $ "image" IMAGE "keeps" CAPABILITIES "seeds" WHETHER): containers that bring the
schemas to the version of the image and put in what the application starts with, in this order, as a
JSON list. Both may be repeated. The first waits for a database: a container that failed would be
started again after ever longer pauses.
*/}}
{{- define "borough.preparation" -}}
{{- $app := printf "--app=%s" (include "borough.document" .root | fromJson).app -}}
{{- $steps := list (dict "name" "migrate" "args" (concat (list "migrate" $app) (sortAlpha .keeps))) -}}
{{- if .seeds -}}
{{- $args := list "seed" $app -}}
{{- range $option, $value := .root.Values.seed -}}
{{- $args = append $args (printf "--%s" $option) -}}
{{- $args = append $args (kindIs "string" $value | ternary $value (toJson $value)) -}}
{{- end -}}
{{- $steps = append $steps (dict "name" "seed" "args" $args) -}}
{{- end -}}
{{- $containers := list -}}
{{- range $step := $steps -}}
{{- $container := merge $step (include "borough.command" $ | fromYaml) -}}
{{- if and (eq $step.name "migrate") (ne $.root.Values.store.kind "sqlite") -}}
{{- $env := append $container.env (dict "name" "MIGRATION_WAIT_S" "value" "600") -}}
{{- $_ := set $container "env" (concat $env (include "borough.administrator" $.root | fromYamlArray)) -}}
{{- end -}}
{{- $containers = append $containers $container -}}
{{- end -}}
{{- toJson $containers -}}
{{- end -}}

{{/* Of (dict "root" $ "image" IMAGE): a container that runs a command of ours on the stores. */}}
{{- define "borough.command" -}}
image: {{ .image }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env: {{- include "borough.store" .root | nindent 2 }}
resources:
  requests: {cpu: 20m, memory: 96Mi}
  limits: {memory: 256Mi}
securityContext: {{- include "borough.container" . | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- with include "borough.storeMount" .root }}
  {{- nindent 2 . }}
  {{- end }}
{{- end -}}
