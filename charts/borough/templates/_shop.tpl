{{/*
The shop as this release deploys it, as JSON (a template answers text):

  parts    by name: `shape`, `hosts`, `serves` (what other parts call), `calls` (what it calls of
           others), `keeps` (what it has a store for), `door` (whether it hosts the gateway) and
           `values` (the defaults, and its own over them)
  door     the labels of the pods behind the one door, beside the release's own
  routes   public path prefixes by part, for whoever can route by path
  calls    which capability calls which, in whatever shape
  capabilities    those that other capabilities call and that keep something: all but the gateway

While a shape is being left, its parts stay, and the door stays with it: the new parts have time to
become ready, and the door moves, all at once, with the next upgrade.
*/}}
{{- define "borough.shop" -}}
{{- $known := .Files.Get "files/shapes.yaml" | fromYaml -}}
{{- include "borough.refuse" (dict "root" . "known" $known) -}}
{{- $parts := dict -}}
{{- range $shape := compact (list .Values.retiring .Values.shape) -}}{{/* of two alike, the new one */}}
{{- range $name, $facts := (get $known.shapes $shape).parts -}}
{{- $own := get $.Values.parts $name | default dict -}}
{{- $_ := set $parts $name (merge (dict
      "shape" $shape
      "door" (has "gateway" $facts.hosts)
      "keeps" (without $facts.hosts "gateway")
      "values" (mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own))
    ) $facts) -}}
{{- end -}}
{{- end -}}
{{- $front := .Values.retiring | default .Values.shape -}}
{{- $routes := (get $known.shapes $front).routes -}}
{{- $door := dict "door.borough.dev/shape" (replace ":" "." $front) -}}
{{- range $part := keys $routes -}}
{{- if ne (get $parts $part).shape $front -}}{{/* in both shapes: its pods say the new one */}}
{{- $door = dict "app.kubernetes.io/component" $part -}}
{{- end -}}
{{- end -}}
{{- dict
      "parts" $parts
      "door" $door
      "routes" $routes
      "calls" $known.calls
      "capabilities" (without (keys $known.calls) "gateway" | sortAlpha) | toJson -}}
{{- end -}}
