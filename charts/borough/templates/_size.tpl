{{/*
Of (dict "root" $ "part" NAME "own" VALUES): the `replicas` of its Deployment, where Helm sets them, and
the `mark` by which the next upgrade knows what this one did. As JSON.

A part that is scaled belongs to its scaler: `replicas` is not rendered, or each upgrade would put it
back. But Helm cannot stop rendering a number that it has rendered once: the API server would fill in 1
and remove all other pods. So a part that existed before keeps the number it has. The mark is one of:

  left-out    never rendered since this Deployment was created
  as-found    rendered at each upgrade as it is in the cluster

Where Helm applies on the server (Helm 4) it can stop once another manager has set the number through the
scale subresource: that manager then owns it.

Without a scaler again, a number must be given where the default would remove or add pods. `helm template`
finds no Deployment, so it always renders `left-out`.
*/}}
{{- define "borough.size" -}}
{{- $deployment := printf "%s-%s" (include "borough.fullname" .root) .part -}}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace $deployment -}}
{{- $mark := dig "metadata" "annotations" "scaling.borough.dev/replicas" "" $live -}}
{{- $found := dict "replicas" .own.replicas -}}
{{- if eq (include "borough.scaled" .own) "true" -}}
{{- if or (not $live) (eq $mark "left-out") (eq (include "borough.heldUp" $live) "true") -}}
{{- $found = dict "mark" "left-out" -}}
{{- else -}}
{{- $found = dict "mark" "as-found" "replicas" $live.spec.replicas -}}
{{- end -}}
{{- else if and $mark (not (hasKey (get .root.Values.parts .part | default dict) "replicas")) -}}
{{- if ne (int $live.spec.replicas) (int .own.replicas) -}}
{{- fail (printf "borough: parts.%s.replicas: it has %d and is not scaled any more: set the number it should have" .part (int $live.spec.replicas)) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Of a part's values: whether a scaler gives it its number. One that only advises does not. */}}
{{- define "borough.scaled" -}}
{{- $scaling := .scaling | default dict -}}
{{- and $scaling.enabled (ne ($scaling.mode | default "Auto") "Advise") -}}
{{- end -}}

{{/*
Of a Deployment as it is: whether its number stays when Helm no longer renders it. It does where Helm
applied its template on the server, and another manager owns the number through the scale.
*/}}
{{- define "borough.heldUp" -}}
{{- $applied := false -}}
{{- $owned := false -}}
{{- range .metadata.managedFields -}}
{{- $fields := dig "f:spec" dict .fieldsV1 -}}
{{- if and (eq .operation "Apply") (hasKey $fields "f:template") -}}{{- $applied = true -}}{{- end -}}
{{- if and (eq (.subresource | default "") "scale") (hasKey $fields "f:replicas") -}}{{- $owned = true -}}{{- end -}}
{{- end -}}
{{- and $applied $owned -}}
{{- end -}}
