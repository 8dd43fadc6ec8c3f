{{/* The release's name where it contains the chart's, else RELEASE-borough-operator. */}}
{{- define "operator.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- if gt (len $name) 50 -}}
{{- fail (printf "borough-operator: %s is too long for a prefix of names: the limit is 50 characters" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* Of (dict "root" $ "component" NAME): the labels that select its pods. They are immutable. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Of the same: the labels of an object. */}}
{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/part-of: borough
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image by its digest, else by its tag, else by the version of this chart. */}}
{{- define "operator.image" -}}
{{- with .Values.image -}}
{{- if and (eq .tag "latest") (not .digest) -}}
{{- fail "borough-operator: image.tag: latest does not identify a version: set a version or a digest" -}}
{{- end -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The served namespaces, separated by commas. */}}
{{- define "operator.namespaces" -}}
{{- .Values.watch.namespaces | default (list .Release.Namespace) | sortAlpha | join "," -}}
{{- end -}}

{{/* Requests and limits without null values, by which a default is removed. */}}
{{- define "operator.resources" -}}
{{- $left := dict -}}
{{- range $kind, $amounts := .Values.resources -}}
{{- range $resource, $amount := $amounts -}}
{{- if not (kindIs "invalid" $amount) -}}
{{- $_ := set $left $kind (merge (dict $resource $amount) (get $left $kind | default dict)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $left -}}
{{- end -}}
