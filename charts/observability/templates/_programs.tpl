{{/*
What there is to know of the four programs: the ports they listen on, where they tell that they
live and that they are ready, and where they write.

A pod whose data is only in it is replaced, not doubled: two would each have half of it.
*/}}
{{- define "observability.programs" -}}
collector:
  ports: {otlp-http: 4318, otlp-grpc: 4317, health: 13133, metrics: 8888}
  live: {port: health, path: /}
  ready: {port: health, path: /}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  writes: {}
prometheus:
  ports: {http: 9090}
  live: {port: http, path: /-/healthy}
  ready: {port: http, path: /-/ready}
  strategy: {type: Recreate}
  writes: {/prometheus: {{ .Values.prometheus.storage }}}
jaeger:
  ports: {query: 16686, otlp-http: 4318, otlp-grpc: 4317, health: 13133, metrics: 8888}
  live: {port: health, path: /status}
  ready: {port: health, path: /status}
  strategy: {type: Recreate}
  writes: {}
grafana:
  ports: {http: 3000}
  live: {port: http, path: /healthz}
  ready: {port: http, path: /api/health}
  strategy: {type: Recreate}
  writes: {/var/lib/grafana: 256Mi, /tmp: 64Mi}
{{- end }}

{{/*
Of a context {root, component}: a program's ConfigMap, Deployment and Service. The program's own
file has what differs, in three templates: observability.COMPONENT.files, the data of the
ConfigMap; .container, its arguments, environment and mounts; .volumes, what there is beyond
the ConfigMap and the folders it writes to.
*/}}
{{- define "observability.program" -}}
{{- $name := printf "%s-%s" (include "observability.fullname" .root) .component }}
{{- $about := index (include "observability.programs" .root | fromYaml) .component }}
{{- $values := index .root.Values .component }}
{{- $files := include (printf "observability.%s.files" .component) .root }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels:
    {{- include "observability.labels" . | nindent 4 }}
data:
  {{- $files | nindent 2 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "observability.labels" . | nindent 4 }}
spec:
  replicas: 1
  revisionHistoryLimit: 3
  strategy:
    {{- toYaml $about.strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "observability.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "observability.selector" . | nindent 8 }}
      annotations:
        checksum/config: {{ sha256sum $files }}
    spec:
      serviceAccountName: {{ include "observability.fullname" .root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      securityContext:
        runAsNonRoot: true
        {{- with $values.runAsUser }}
        runAsUser: {{ int64 . }}
        {{- end }}
        seccompProfile:
          type: RuntimeDefault
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "observability.image" $values.image }}
          imagePullPolicy: IfNotPresent
          {{- include (printf "observability.%s.container" .component) .root | nindent 10 }}
            {{- range $path, $room := $about.writes }}
            - name: {{ $path | trimPrefix "/" | replace "/" "-" }}
              mountPath: {{ $path }}
            {{- end }}
          ports:
            {{- range $port, $number := $about.ports }}
            - name: {{ $port }}
              containerPort: {{ $number }}
            {{- end }}
          startupProbe:
            httpGet:
              {{- toYaml $about.live | nindent 14 }}
            periodSeconds: 1
            failureThreshold: 120
          livenessProbe:
            httpGet:
              {{- toYaml $about.live | nindent 14 }}
            periodSeconds: 10
            timeoutSeconds: 5
          readinessProbe:
            httpGet:
              {{- toYaml $about.ready | nindent 14 }}
            periodSeconds: 3
            timeoutSeconds: 3
          {{- if eq $about.strategy.type "RollingUpdate" }}
          lifecycle:
            preStop:
              # Clients that resolved this pod's address before it was removed may send to it.
              sleep:
                seconds: 5
          {{- end }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
      volumes:
        - name: config
          configMap:
            name: {{ $name }}
        {{- range $path, $room := $about.writes }}
        - name: {{ $path | trimPrefix "/" | replace "/" "-" }}
          emptyDir:
            sizeLimit: {{ $room }}
        {{- end }}
        {{- with include (printf "observability.%s.volumes" .component) .root }}
        {{- . | nindent 8 }}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels:
    {{- include "observability.labels" . | nindent 4 }}
spec:
  {{- $service := $values.service | default dict }}
  type: {{ $service.type | default "ClusterIP" }}
  selector:
    {{- include "observability.selector" . | nindent 4 }}
  ports:
    {{- range $port, $number := $about.ports }}
    - name: {{ $port }}
      port: {{ $number }}
      targetPort: {{ $port }}
      {{- with $service.nodePort }}
      nodePort: {{ int . }}
      {{- end }}
    {{- end }}
{{- end }}

{{/* Of the amount of memory a program may use at most: what its garbage collector aims to stay under. */}}
{{- define "observability.gomemlimit" -}}
- name: GOMEMLIMIT
  value: {{ div (include "observability.mebibytes" . | int | mul 8) 10 }}MiB
{{- end }}

{{/* Collector and Jaeger are built of the same stuff, and tell of themselves in the same way. */}}
{{- define "observability.metrics" -}}
metrics:
  readers:
    - pull:
        exporter:
          prometheus:
            host: 0.0.0.0
            port: 8888
            # Names as Prometheus has them: with units, and _total behind counters.
            without_units: false
            without_type_suffix: false
            without_scope_info: true
{{- end }}
