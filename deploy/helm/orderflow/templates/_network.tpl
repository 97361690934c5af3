{{/* One egress rule. Takes ports and to; an empty `to` is anywhere. */}}
{{- define "orderflow.egress" -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The words of a list with commas, as a list of YAML; a comma may end it. */}}
{{- define "orderflow.words" -}}
{{- $words := list -}}
{{- range splitList "," . }}{{ with trim . }}{{ $words = append $words . }}{{ end }}{{ end -}}
{{- toYaml $words -}}
{{- end -}}

{{/* A network as Kubernetes wants it: an address alone is a network of one. */}}
{{- define "orderflow.network" -}}
{{- contains "/" . | ternary . (printf "%s/%s" . (ternary "128" "32" (contains ":" .))) -}}
{{- end -}}

{{/* The egress rule of a name server of deliveries: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. */}}
{{- define "orderflow.nameserver" -}}
{{- $address := . -}}
{{- $port := "53" -}}
{{- if hasPrefix "[" . -}}
{{-   $address = regexFind "[0-9a-fA-F:.]+" . -}}
{{-   $port = regexFind "[0-9]+$" (splitList "]" . | last) | default "53" -}}
{{- else if and (contains "." .) (contains ":" .) -}}
{{-   $address = splitList ":" . | first -}}
{{-   $port = splitList ":" . | last -}}
{{- end -}}
- ports:
    - {port: {{ $port }}, protocol: UDP}
    - {port: {{ $port }}, protocol: TCP}
  to:
    - ipBlock:
        cidr: {{ include "orderflow.network" $address | quote }}
{{- end -}}

{{/* Not empty where a setting names a collector of traces. */}}
{{- define "orderflow.traces" -}}
{{- $given := list .Values.settings -}}
{{- range .Values.services }}{{ $given = append $given .settings }}{{ end -}}
{{- range $given }}{{ .OTEL_EXPORTER_OTLP_ENDPOINT | default "" }}{{ end -}}
{{- end -}}
