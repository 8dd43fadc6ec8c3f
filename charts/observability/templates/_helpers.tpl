{{/* The release's name where it says what this is, else RELEASE-observability. */}}
{{- define "observability.fullname" -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- end }}

{{/* Of a context {root, component}: what a selector holds. Selectors cannot change: no version here. */}}
{{- define "observability.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* Of a context {root, component}: what every object bears. */}}
{{- define "observability.labels" -}}
{{ include "observability.selector" . }}
app.kubernetes.io/part-of: borough
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Of an `image` in the values: the digest wins over the tag. */}}
{{- define "observability.image" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end }}
{{- end }}

{{/* An amount like 512Mi or 1Gi, in MiB. The schema admits no other. */}}
{{- define "observability.mebibytes" -}}
{{- if hasSuffix "Gi" . -}}
{{ mul 1024 (trimSuffix "Gi" . | int) }}
{{- else -}}
{{ trimSuffix "Mi" . }}
{{- end }}
{{- end }}

{{/* The name charts/borough gives to what belongs to the release of this name: the same rule as there. */}}
{{- define "observability.shop" -}}
{{- ternary . (printf "%s-borough" .) (contains "borough" .) -}}
{{- end }}

{{/* The same for a release of charts/borough-operator. */}}
{{- define "observability.operator" -}}
{{- ternary . (printf "%s-borough-operator" .) (contains "borough-operator" .) -}}
{{- end }}

{{/* The operators' pods, as peers. */}}
{{- define "observability.operators" -}}
{{- range .Values.operators }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace }}
  podSelector:
    matchLabels:
      app.kubernetes.io/name: borough-operator
      app.kubernetes.io/instance: {{ .release | quote }}
      app.kubernetes.io/component: operator
{{- end }}
{{- end }}
