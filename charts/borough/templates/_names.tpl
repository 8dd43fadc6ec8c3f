{{/*
Names, labels and images. Every name begins with the release's, so that two releases share nothing.
*/}}

{{- define "borough.fullname" -}}
{{- ternary .Release.Name (printf "%s-borough" .Release.Name) (contains "borough" .Release.Name) -}}
{{- end -}}

{{/* Of (dict "root" $ "component" NAME): what selects its pods. Never more: selectors cannot change. */}}
{{- define "borough.selector" -}}
app.kubernetes.io/name: borough
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Of the same: what an object carries. Never a pod, or each new chart would restart everything. */}}
{{- define "borough.labels" -}}
{{ include "borough.selector" . }}
app.kubernetes.io/part-of: borough
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/*
Of (dict "root" $ "own" MAP): an image by its digest, else by its tag, else by the version of the
application. A part that names a tag or a digest of its own does not get the release's.
*/}}
{{- define "borough.image" -}}
{{- $all := .root.Values.image -}}
{{- $own := .own | default dict -}}
{{- $version := $all -}}
{{- if or $own.tag $own.digest -}}{{- $version = $own -}}{{- end -}}
{{- $repository := $own.repository | default $all.repository -}}
{{- if $version.digest -}}
{{ $repository }}@{{ $version.digest }}
{{- else -}}
{{ $repository }}:{{ $version.tag | default (include "borough.document" .root | fromJson).version }}
{{- end -}}
{{- end -}}

{{/* The Secrets: the user's own, or ours. */}}
{{- define "borough.customersSecret" -}}
{{- .Values.customers.existingSecret | default (printf "%s-customers" (include "borough.fullname" .)) -}}
{{- end -}}

{{- define "borough.postgresSecret" -}}
{{- .Values.postgres.existingSecret | default (printf "%s-postgres" (include "borough.fullname" .)) -}}
{{- end -}}
