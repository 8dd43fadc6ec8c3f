{{/*
Of (dict "root" $ "part" NAME "own" VALUES): the `replicas` of its Deployment, where Helm is to give
them, and the `mark` that tells the next upgrade what this one did. As JSON.

A part that is scaled belongs to its scaler: `replicas` is not rendered, or each upgrade would put it
back. But what Helm has rendered once it cannot stop rendering: the API server then fills in 1, and
all other pods go. So a part that was there before goes on with the number it has. The mark says which of
the two it is:

  left-out    never rendered, in the life of this Deployment
  as-found    rendered, each time anew as it is found

Where Helm applies on the server (Helm 4) it can stop, as soon as somebody else has given the target a
number through its scale: that manager then holds it up.

The way back asks for a number, where the default would take pods away or add some. `helm template` finds nothing, so
whoever renders without a cluster gets `left-out`, each time.
*/}}
{{- define "borough.size" -}}
{{- $deployment := printf "%s-%s" (include "borough.fullname" .root) .part -}}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace $deployment -}}
{{- $mark := dig "metadata" "annotations" "scaling.borough.dev/replicas" "" $live -}}
{{- $answer := dict "replicas" .own.replicas -}}
{{- if eq (include "borough.scaled" .own) "true" -}}
{{- if or (not $live) (eq $mark "left-out") (eq (include "borough.heldUp" $live) "true") -}}
{{- $answer = dict "mark" "left-out" -}}
{{- else -}}
{{- $answer = dict "mark" "as-found" "replicas" $live.spec.replicas -}}
{{- end -}}
{{- else if and $mark (not (hasKey (get .root.Values.parts .part | default dict) "replicas")) -}}
{{- if ne (int $live.spec.replicas) (int .own.replicas) -}}
{{- fail (printf "borough: parts.%s.replicas: it has %d, and nobody scales it any more: say how many it is to have" .part (int $live.spec.replicas)) -}}
{{- end -}}
{{- end -}}
{{- toJson $answer -}}
{{- end -}}

{{/* Of a part's values: whether a scaler gives it its number. One that only advises does not. */}}
{{- define "borough.scaled" -}}
{{- $scaling := .scaling | default dict -}}
{{- and $scaling.enabled (ne ($scaling.mode | default "Auto") "Advise") -}}
{{- end -}}

{{/*
Of a Deployment as it is: whether its number stays when Helm no longer renders it. It does where Helm
applied its template on the server, and somebody owns the number through the scale.
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
