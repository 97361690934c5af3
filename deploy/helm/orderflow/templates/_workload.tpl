{{/*
A service's values over `defaults`, with all settings, secrets and files that it gets, as YAML.
Takes root and name (of a service, `migrate` or `topics`).
*/}}
{{- define "orderflow.workload" -}}
{{- $catalogue := include "orderflow.catalogue" .root | fromYaml -}}
{{- $name := .name -}}
{{- $isJob := not (hasKey $catalogue.services $name) -}}
{{- $own := ternary (index .root.Values $name) (index .root.Values.services $name) $isJob -}}
{{- $merged := ternary dict (deepCopy .root.Values.defaults) $isJob -}}
{{- range $key, $value := $own -}}
{{-   $below := get $merged $key -}}
{{-   if and (kindIs "map" $value) (kindIs "map" $below) -}}
{{-     if hasKey $value "minAvailable" -}}{{- $below = omit $below "maxUnavailable" -}}{{- end -}}
{{-     $_ := set $merged $key (mergeOverwrite $below (deepCopy $value)) -}}
{{-   else -}}
{{-     $_ := set $merged $key $value -}}
{{-   end -}}
{{- end -}}
{{- if not $isJob -}}
{{-   if not (index $catalogue.services $name).consumes -}}
{{-     $merged = omit $merged "staticMembership" "keda" -}}
{{-   end -}}
{{- end -}}
{{- range $map := list "settings" "secrets" "files" -}}
{{-   $given := dict -}}
{{-   range $source := list (get $.root.Values $map) (get $own $map) -}}
{{-     range $variable, $value := $source -}}
{{-       $owner := get $catalogue.owners $variable | default $name -}}
{{-       $isKafka := hasPrefix "KAFKA_" $variable -}}
{{-       $isDatabase := contains "DATABASE_" $variable -}}
{{-       $isRead := or (eq $owner $name) (and (eq $name "migrate") (hasSuffix "_DATABASE_POOLER_URL" $variable)) -}}
{{-       if and $isRead (not (kindIs "invalid" $value))
              (not (and (eq $name "migrate") $isKafka))
              (not (and (eq $name "topics") (or $isDatabase (and (eq $map "secrets") (not $isKafka))))) -}}
{{-         $_ := set $given $variable $value -}}
{{-       end -}}
{{-     end -}}
{{-   end -}}
{{-   if and (eq $map "secrets") (hasKey $given (printf "%s_DATABASE_URL" (upper $name))) -}}
{{-     $given = omit $given "DATABASE_URL" -}}
{{-   end -}}
{{-   $_ := set $merged $map $given -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end -}}

{{/* Seconds that a pod gets to stop. Takes root and workload. */}}
{{- define "orderflow.grace" -}}
{{- if .workload.terminationGracePeriodSeconds -}}
{{- include "orderflow.text" .workload.terminationGracePeriodSeconds -}}
{{- else -}}
{{- add (include "orderflow.leastGrace" . | int) 5 -}}
{{- end -}}
{{- end -}}

{{/* The grace period that a stop in good order needs: drain, parent of processes, preStop. */}}
{{- define "orderflow.leastGrace" -}}
{{- $drain := include "orderflow.setting" (dict "root" .root "workload" .workload "name" "ORDERFLOW_DRAIN_TIMEOUT_SECONDS") | float64 | ceil | int -}}
{{- $parent := ternary 5 0 (gt (.workload.processes | int) 1) -}}
{{- add $drain $parent (.workload.preStopSeconds | default 0 | int) 1 -}}
{{- end -}}

{{/* Environment of a container: settings, secrets, files. Takes root, name, workload. */}}
{{- define "orderflow.environment" -}}
- name: HTTP_HOST
  value: 0.0.0.0
- name: HTTP_PORT
  value: {{ include "orderflow.text" .root.Values.ports.health | quote }}
{{- if eq .name "gateway" }}
- name: ORDERFLOW_GATEWAY_PORT
  value: {{ include "orderflow.text" .root.Values.ports.gateway | quote }}
{{- end }}
{{- if .workload.staticMembership }}
- name: KAFKA_GROUP_INSTANCE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- range $variable, $value := .workload.settings }}
- name: {{ $variable }}
  value: {{ include "orderflow.text" $value | quote }}
{{- end }}
{{- range $variable, $key := .workload.secrets }}
{{- if eq $.root.Values.secretsAs "files" }}
- name: {{ $variable }}_FILE
  value: /run/orderflow/secrets/{{ $variable }}
{{- else }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $key.name }}
      key: {{ $key.key }}
{{- end }}
{{- end }}
{{- range $variable, $file := .workload.files }}
- name: {{ $variable }}
  value: /run/orderflow/{{ ternary "files" "directories" (hasKey $file "key") }}/{{ $variable }}
{{- end }}
{{- end -}}

{{/* Mounts of a container. Takes root and workload. */}}
{{- define "orderflow.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if and .workload.secrets (eq .root.Values.secretsAs "files") }}
- name: secrets
  mountPath: /run/orderflow/secrets
  readOnly: true
{{- end }}
{{- if include "orderflow.singleFiles" . }}
- name: files
  mountPath: /run/orderflow/files
  readOnly: true
{{- end }}
{{- range $variable, $file := .workload.files }}
{{- if not (hasKey $file "key") }}
- name: {{ $variable | lower | replace "_" "-" }}
  mountPath: /run/orderflow/directories/{{ $variable }}
  readOnly: true
{{- end }}
{{- end }}
{{- range $index, $mount := .root.Values.mounts }}
- name: mount-{{ $index }}
  mountPath: {{ $mount.path }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Sources of the volume with one file a variable; empty without such files. */}}
{{- define "orderflow.singleFiles" -}}
{{- range $variable, $file := .workload.files }}
{{- if hasKey $file "key" }}
- {{ ternary "secret" "configMap" (hasKey $file "secret") }}:
    name: {{ $file.secret | default $file.configMap }}
    items:
      - key: {{ $file.key }}
        path: {{ $variable }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Volumes of a pod. Takes root and workload. */}}
{{- define "orderflow.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if and .workload.secrets (eq .root.Values.secretsAs "files") }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $variable, $key := .workload.secrets }}
      - secret:
          name: {{ $key.name }}
          items:
            - key: {{ $key.key }}
              path: {{ $variable }}
      {{- end }}
{{- end }}
{{- with include "orderflow.singleFiles" . }}
- name: files
  projected:
    defaultMode: 0440
    sources:
      {{- trim . | nindent 6 }}
{{- end }}
{{- range $variable, $file := .workload.files }}
{{- if not (hasKey $file "key") }}
- name: {{ $variable | lower | replace "_" "-" }}
  {{- include "orderflow.wholeVolume" $file | nindent 2 }}
{{- end }}
{{- end }}
{{- range $index, $mount := .root.Values.mounts }}
- name: mount-{{ $index }}
  {{- include "orderflow.wholeVolume" $mount | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A volume with the keys, else all keys, of a Secret or ConfigMap. Takes one of them, and keys. */}}
{{- define "orderflow.wholeVolume" -}}
{{- if .secret -}}
secret:
  secretName: {{ .secret }}
  defaultMode: 0440
{{- else -}}
configMap:
  name: {{ .configMap }}
  defaultMode: 0444
{{- end }}
{{- with .keys }}
  items:
    {{- range . }}
    - key: {{ . }}
      path: {{ . }}
    {{- end }}
{{- end }}
{{- end -}}
