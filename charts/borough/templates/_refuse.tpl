{{/*
Whatever cannot work is refused here, before anything is applied, with a sentence that names it.
What is merely misspelt, values.schema.json has refused already.
*/}}
{{- define "borough.refuse" -}}
{{- $values := .root.Values -}}
{{- $known := .known -}}

{{- $name := include "borough.fullname" .root -}}
{{- if gt (len $name) 40 -}}
{{- fail (printf "borough: %s is too long for a prefix of names: it may have 40 characters" $name) -}}
{{- end -}}

{{/* Shapes. */}}
{{- $shapes := dict -}}
{{- range $known.parts -}}
{{- $_ := set $shapes .shape (merge (dict .name .) (get $shapes .shape | default dict)) -}}
{{- end -}}
{{- range $shape := compact (list $values.shape $values.retiring) -}}
{{- if not (hasKey $shapes $shape) -}}
{{- fail (printf "borough: there is no shape %s; there are %s" $shape (keys $shapes | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- $parts := get $shapes $values.shape -}}
{{- $leaving := dict -}}
{{- if $values.retiring -}}
{{- if eq $values.retiring $values.shape -}}
{{- fail (printf "borough: %s cannot be the shape and the retiring one: leave `retiring` out" $values.shape) -}}
{{- end -}}
{{- $leaving = get $shapes $values.retiring -}}
{{- end -}}
{{- range $part, $facts := $parts -}}
{{- if hasKey $leaving $part -}}
{{- if ne (sortAlpha $facts.hosts | join " ") (sortAlpha (get $leaving $part).hosts | join " ") -}}
{{- fail (printf "borough: part %s is in %s and in %s, with different capabilities: go by way of another shape" $part $values.shape $values.retiring) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Parts and settings. */}}
{{- $both := compact (list $values.shape $values.retiring) | join " with " -}}
{{- $there := keys $parts $leaving | uniq | sortAlpha -}}
{{- range $part := keys $values.parts | sortAlpha -}}
{{- if not (has $part $there) -}}
{{- fail (printf "borough: parts: shape %s has no part %s; there are %s" $both $part (join ", " $there)) -}}
{{- end -}}
{{- end -}}
{{- $ours := include "borough.ownSettings" . | splitList " " -}}
{{- $settings := dict "settings" $values.settings "defaults.settings" $values.defaults.settings -}}
{{- range $part, $own := $values.parts -}}
{{- $_ := set $settings (printf "parts.%s.settings" $part) (get $own "settings" | default dict) -}}
{{- end -}}
{{- range $where, $given := $settings -}}
{{- range $setting := keys $given | sortAlpha -}}
{{- if has $setting $ours -}}
{{- fail (printf "borough: %s.%s: the chart sets %s itself" $where $setting $setting) -}}
{{- end -}}
{{- if not (has $setting $known.settings) -}}
{{- $there := list -}}
{{- range $known.settings -}}{{- if not (has . $ours) -}}{{- $there = append $there . -}}{{- end -}}{{- end -}}
{{- fail (printf "borough: %s: there is no setting %s; there are %s" $where $setting (join ", " $there)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Stores. */}}
{{- if eq $values.store.kind "sqlite" -}}
{{- if gt (len $there) 1 -}}
{{- fail (printf "borough: store.kind=sqlite is for a shape of one part; %s has %s" $both (join ", " $there)) -}}
{{- end -}}
{{- range $part := $there -}}
{{- if gt (int (dig $part "replicas" $values.defaults.replicas $values.parts)) 1 -}}
{{- fail (printf "borough: store.kind=sqlite is for one replica: take back the replicas of part %s" $part) -}}
{{- end -}}
{{- if dig $part "scaling" "enabled" (dig "scaling" "enabled" false $values.defaults) $values.parts -}}
{{- fail (printf "borough: store.kind=sqlite is for one replica: take back the scaling of part %s" $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq $values.store.kind "external") (not $values.store.existingSecret) -}}
{{- fail "borough: store.kind=external needs store.existingSecret: a Secret whose key `url` is the address" -}}
{{- end -}}

{{/* Names. */}}
{{- range $part := $there -}}
{{- if gt (len (printf "%s-%s-ops" $name $part)) 63 -}}
{{- fail (printf "borough: %s-%s-ops is too long for the name of a Service: it may have 63 characters" $name $part) -}}
{{- end -}}
{{- end -}}

{{/* Load. */}}
{{- if and $values.load.enabled (not (has "api_keys" $known.settings)) -}}
{{- fail (printf "borough: load.enabled: what is sent are requests of the shop's customers, and %s has none" $known.name) -}}
{{- end -}}

{{/* Scaling. */}}
{{- range $part := $there -}}
{{- $bounds := merge dict (dig $part "scaling" "replicas" dict $values.parts) (dig "scaling" "replicas" dict $values.defaults) -}}
{{- if gt (int $bounds.min) (int $bounds.max) -}}
{{- fail (printf "borough: parts.%s.scaling.replicas: min %d is greater than max %d" $part (int $bounds.min) (int $bounds.max)) -}}
{{- end -}}
{{- end -}}

{{/* Images. */}}
{{- $images := dict "image" $values.image "defaults.image" $values.defaults.image "postgres.image" $values.postgres.image -}}
{{- range $part, $own := $values.parts -}}
{{- $_ := set $images (printf "parts.%s.image" $part) (get $own "image" | default dict) -}}
{{- end -}}
{{- range $where, $image := $images -}}
{{- if and (eq ($image.tag | default "") "latest") (not $image.digest) -}}
{{- fail (printf "borough: %s.tag: latest does not identify an image: name a version or a digest" $where) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Settings that only the chart may set. */}}
{{- define "borough.ownSettings" -}}
part shape shapes_file peers host public_port internal_port ops_port drain_s store api_keys otlp_endpoint
{{- end -}}
