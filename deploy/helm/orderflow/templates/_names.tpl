{{- define "orderflow.catalogue" -}}
{{- .Files.Get "files/catalogue.yaml" -}}
{{- end -}}

{{- define "orderflow.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the release's objects; at most 40 characters, as `-analytics-` and a hash follow. */}}
{{- define "orderflow.fullname" -}}
{{- $name := include "orderflow.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are selected. Takes root, and component unless all are meant. */}}
{{- define "orderflow.selector" -}}
app.kubernetes.io/name: {{ include "orderflow.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels that the chart alone sets. Takes root, and component. */}}
{{- define "orderflow.ownLabels" -}}
{{ include "orderflow.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: orderflow
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels of an object. Takes root, component, and more labels, which win over commonLabels. */}}
{{- define "orderflow.labels" -}}
{{ include "orderflow.ownLabels" . }}
{{- with merge (dict) (.more | default dict) .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "orderflow.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A value as text of the environment: whole numbers without an exponent. */}}
{{- define "orderflow.text" -}}
{{- if and (kindIs "float64" .) (eq (float64 .) (floor .)) -}}
{{- printf "%d" (int64 .) -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* The setting of a workload, else the code's default. Takes root, workload, name. */}}
{{- define "orderflow.setting" -}}
{{- $defaults := (include "orderflow.catalogue" .root | fromYaml).defaults -}}
{{- $value := get (ternary .workload.settings $defaults (hasKey .workload.settings .name)) .name -}}
{{- include "orderflow.text" $value -}}
{{- end -}}
