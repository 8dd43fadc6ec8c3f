{{/* The document that `borough chart` wrote of the application: that in the values, or the shop's. */}}
{{- define "borough.document" -}}
{{- .Values.application | default (.Files.Get "files/application.yaml" | fromYaml).application | toJson -}}
{{- end -}}

{{/*
The application as this release deploys it, as JSON (a template returns text):

  app      the value of `--app`
  parts    by name: `shape`, `hosts`, `serves` (what other parts call), `calls` (what it calls of
           others), `keeps` (what it has a store for), `door` (whether it hosts the gateway) and
           `values` (the defaults, and its own over them)
  door     the labels of the pods behind the one door, beside the release's own
  routes   public path prefixes by part, for a router by path
  calls    which capability calls which, in whatever shape
  gateway  the capability that has the doors
  capabilities    those that other capabilities call and that keep something: all but the gateway
  seeds    whether it has something to put into its stores
  customers       whether its door authenticates customers by API keys

While a shape is being left, its parts stay, and the door stays with it: the new parts have time to
become ready, and the door moves, all at once, with the next upgrade.
*/}}
{{- define "borough.application" -}}
{{- $known := include "borough.document" . | fromJson -}}
{{- include "borough.refuse" (dict "root" . "known" $known) -}}
{{- $calls := dict -}}
{{- $gateway := "" -}}
{{- range $known.capabilities -}}
{{- $_ := set $calls .name .calls -}}
{{- if .door -}}{{- $gateway = .name -}}{{- end -}}
{{- end -}}
{{- $front := .Values.retiring | default .Values.shape -}}
{{- $parts := dict -}}
{{- $routes := dict -}}
{{- range $shape := compact (list .Values.retiring .Values.shape) -}}{{/* of two alike, the new one */}}
{{- range $facts := $known.parts -}}
{{- if eq $facts.shape $shape -}}
{{- $own := get $.Values.parts $facts.name | default dict -}}
{{- $_ := set $parts $facts.name (merge (dict
      "keeps" (without $facts.hosts $gateway)
      "values" (mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own))
    ) $facts) -}}
{{- if and $facts.door (eq $shape $front) -}}{{- $_ := set $routes $facts.name $facts.paths -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $door := dict "door.borough.dev/shape" (replace ":" "." $front) -}}
{{- range $part := keys $routes -}}
{{- if ne (get $parts $part).shape $front -}}{{/* in both shapes: its pods say the new one */}}
{{- $door = dict "app.kubernetes.io/component" $part -}}
{{- end -}}
{{- end -}}
{{- dict
      "app" $known.app
      "parts" $parts
      "door" $door
      "routes" $routes
      "calls" $calls
      "gateway" $gateway
      "capabilities" (without (keys $calls) $gateway | sortAlpha)
      "seeds" $known.seeds
      "customers" (has "api_keys" $known.settings) | toJson -}}
{{- end -}}
