{{/*
Ends with all problems at once. Also first in templates that need what it makes sure of, and in
services.yaml, which Helm renders first.
*/}}
{{- define "orderflow.check" -}}
{{- with include "orderflow.emptyProblems" . | trim }}
{{- fail (printf "these values cannot work:\n%s" .) }}
{{- end }}
{{- with include "orderflow.problems" . | trim }}
{{- fail (printf "these values cannot work:\n%s" (splitList "\n" . | uniq | join "\n")) }}
{{- end }}
{{- end -}}

{{/* Values that are needed and that a file takes away, by a name without a value. */}}
{{- define "orderflow.emptyProblems" -}}
{{- $root := . -}}
{{- $missing := list -}}
{{- range $path := (include "orderflow.catalogue" . | fromYaml).values }}
{{- $found := $root.Values }}
{{- range $key := splitList "." $path }}
{{- $below := ternary $found dict (kindIs "map" $found) }}
{{- $found = ternary (get $below $key) nil (hasKey $below $key) }}
{{- end }}
{{- $isBelow := false }}
{{- range $missing }}{{ if hasPrefix (printf "%s." .) $path }}{{ $isBelow = true }}{{ end }}{{ end }}
{{- $isTaken := and (kindIs "map" $found) (not $found) (not (regexMatch "(settings|secrets|files)$" $path)) }}
{{- if and (or $isTaken (kindIs "invalid" $found)) (not $isBelow) }}
{{- $missing = append $missing $path }}
{{ $path }} has no value: give it one, or leave the name out
{{- end }}
{{- end }}
{{- end -}}

{{/* Names of the release's objects, labels, ports, mounts. */}}
{{- define "orderflow.releaseProblems" -}}
{{- $name := include "orderflow.fullname" . }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) }}
objects would be called {{ $name }}-…: names of Services begin with a letter and have a to z, 0 to 9 and -; choose another release name, nameOverride or fullnameOverride
{{- end }}
{{- if eq (.Values.ports.health | int) (.Values.ports.gateway | int) }}
ports.health and ports.gateway are both {{ .Values.ports.gateway }}: the gateway listens on both, so they must differ
{{- end }}
{{- if and .Values.services.gateway.ingress.enabled (not .Values.services.gateway.enabled) }}
services.gateway.ingress.enabled is true and services.gateway.enabled is false: an ingress needs the gateway
{{- end }}
{{- $labels := dict "commonLabels" .Values.commonLabels "defaults.podLabels" .Values.defaults.podLabels }}
{{- range $service, $given := .Values.services }}{{ $_ := set $labels (printf "services.%s.podLabels" $service) $given.podLabels }}{{ end }}
{{- range $part := list "podMonitor" "rules" "dashboards" }}{{ $_ := set $labels (printf "monitoring.%s.labels" $part) (index $.Values.monitoring $part).labels }}{{ end }}
{{- $set := include "orderflow.ownLabels" (dict "root" . "component" "any") | fromYaml }}
{{- range $where, $given := $labels }}
{{- range $label, $_ := $given }}
{{- if hasKey $set $label }}
{{ $where }}.{{ $label }} cannot be set: the chart sets this label, and selects pods by such labels
{{- end }}
{{- end }}
{{- end }}
{{- range $service, $given := .Values.services }}
{{- with $given.podDisruptionBudget }}
{{- if and (not (kindIs "invalid" .minAvailable)) (not (kindIs "invalid" .maxUnavailable)) }}
services.{{ $service }}.podDisruptionBudget has minAvailable and maxUnavailable: Kubernetes takes one of them, leave one out
{{- end }}
{{- end }}
{{- end }}
{{- $paths := list "/run/orderflow" }}
{{- range .Values.mounts }}
{{- $path := .path }}
{{- range $paths }}
{{- if or (hasPrefix (printf "%s/" .) (printf "%s/" $path)) (hasPrefix (printf "%s/" $path) (printf "%s/" .)) }}
mounts has {{ $path }}, and {{ . }} is mounted too: neither can be the other or lie in it; choose another path
{{- end }}
{{- end }}
{{- $paths = append $paths $path }}
{{- end }}
{{- end -}}

{{/* What cannot work, one sentence a line; empty where all is well. */}}
{{- define "orderflow.problems" -}}
{{- $root := . -}}
{{- $catalogue := include "orderflow.catalogue" . | fromYaml -}}
{{- include "orderflow.releaseProblems" . }}
{{- if not .Values.settings.KAFKA_BOOTSTRAP_SERVERS }}
settings.KAFKA_BOOTSTRAP_SERVERS is missing: set it to the brokers, such as kafka-bootstrap:9092
{{- end }}
{{- include "orderflow.refusedSettings" (dict "catalogue" $catalogue "where" "settings" "settings" .Values.settings) }}
{{- range $name := list "migrate" "topics" }}
{{- include "orderflow.refusedSettings" (dict "catalogue" $catalogue "where" (printf "%s.settings" $name) "settings" (index $root.Values $name).settings) }}
{{- if (index $root.Values $name).enabled }}
{{- $job := include "orderflow.workload" (dict "root" $root "name" $name) | fromYaml }}
{{- if and (eq $name "migrate") (not $job.secrets.DATABASE_URL) }}
secrets.DATABASE_URL is missing: name the Secret with the address and login that migrates, or set migrate.enabled to false and run `orderflow migrate` yourself
{{- end }}
{{- if eq $name "topics" }}
{{- include "orderflow.kafkaProblems" (dict "root" $root "name" $name "workload" $job) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $entry := $catalogue.services }}
{{- $given := index $root.Values.services $name }}
{{- include "orderflow.refusedSettings" (dict "catalogue" $catalogue "where" (printf "services.%s.settings" $name) "settings" $given.settings) }}
{{- if $given.enabled }}
{{- $workload := include "orderflow.workload" (dict "root" $root "name" $name) | fromYaml }}
{{- $context := dict "root" $root "name" $name "workload" $workload }}
{{- include "orderflow.serviceProblems" $context }}
{{- include "orderflow.kafkaProblems" $context }}
{{- if $entry.consumes }}
{{- include "orderflow.replicaProblems" $context }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Settings that are no values. Takes catalogue, where, settings. */}}
{{- define "orderflow.refusedSettings" -}}
{{- range $variable, $value := .settings }}
{{- with get $.catalogue.refused $variable }}
{{ $.where }}.{{ $variable }} cannot be set: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Database, key, grace period, disruption budget, ingress. Takes root, name, workload. */}}
{{- define "orderflow.serviceProblems" -}}
{{- $own := printf "%s_DATABASE_URL" (upper .name) -}}
{{- if not (or (hasKey .workload.secrets $own) (hasKey .workload.secrets "DATABASE_URL")) }}
secrets.{{ $own }} is missing: name the Secret with the address and login of {{ .name }}, or one for all in secrets.DATABASE_URL
{{- end }}
{{- $password := printf "%s_DATABASE_PASSWORD" (upper .name) -}}
{{- if and (or (get .root.Values.secrets $password) (get .root.Values.migrate.secrets $password)) (not (hasKey .workload.secrets $own)) (not (hasKey .workload.secrets (printf "%s_DATABASE_POOLER_URL" (upper .name)))) }}
secrets.{{ $own }} is missing: secrets.{{ $password }} gives {{ .name }} a login of its own, and no address uses it; name the Secret with this address, or leave the password out
{{- end }}
{{- if and (eq .name "deliveries") (not .workload.withoutWebhooks) (not .workload.secrets.ORDERFLOW_DELIVERIES_KEY) }}
secrets.ORDERFLOW_DELIVERIES_KEY is missing: name the Secret with the key of webhooks (`openssl rand -base64 32`), or set services.deliveries.withoutWebhooks to true
{{- end }}
{{- $least := include "orderflow.leastGrace" . | int }}
{{- if lt (include "orderflow.grace" . | int) $least }}
services.{{ .name }}.terminationGracePeriodSeconds is {{ include "orderflow.grace" . }}, and a stop in good order takes up to {{ $least }} s (ORDERFLOW_DRAIN_TIMEOUT_SECONDS, 5 s with processes, preStopSeconds): leave it out or raise it
{{- end }}
{{- $keda := .workload.keda | default dict }}
{{- $pods := ternary $keda.minReplicas .workload.replicas ($keda.enabled | default false) | int }}
{{- $budget := .workload.podDisruptionBudget }}
{{- if $budget.enabled }}
{{- if and $budget.minAvailable (ge ($budget.minAvailable | int) $pods) }}
services.{{ .name }}.podDisruptionBudget.minAvailable is {{ $budget.minAvailable }} with {{ $pods }} pods: no node could be drained; set it below the number of pods, or maxUnavailable to 1
{{- else if and (not $budget.minAvailable) (kindIs "invalid" $budget.maxUnavailable) }}
services.{{ .name }}.podDisruptionBudget has neither minAvailable nor maxUnavailable: set one of them, or enabled to false
{{- else if and (not $budget.minAvailable) (eq (toString $budget.maxUnavailable) "0") }}
services.{{ .name }}.podDisruptionBudget.maxUnavailable is 0: no node could be drained; set it to 1 or more
{{- end }}
{{- end }}
{{- with .workload.settings.OTEL_EXPORTER_OTLP_ENDPOINT }}
{{- include "orderflow.portProblem" (dict "root" $.root "policy" "traces" "variable" "OTEL_EXPORTER_OTLP_ENDPOINT" "port" (include "orderflow.portOfUrl" .)) }}
{{- end }}
{{- if eq .name "gateway" }}
{{- if and .workload.ingress.enabled (not .workload.ingress.host) }}
services.gateway.ingress.host is missing: name the host of the ingress
{{- end }}
{{- $certificate := hasKey .workload.files "ORDERFLOW_GATEWAY_TLS_CERTFILE" }}
{{- if ne $certificate (hasKey .workload.files "ORDERFLOW_GATEWAY_TLS_KEYFILE") }}
files.ORDERFLOW_GATEWAY_TLS_{{ ternary "KEYFILE" "CERTFILE" $certificate }} is missing: the gateway's TLS needs the certificate and its key
{{- end }}
{{- end }}
{{- end -}}

{{/* Login and TLS of Kafka. Takes root, name, workload. */}}
{{- define "orderflow.kafkaProblems" -}}
{{- $protocol := include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_SECURITY_PROTOCOL") -}}
{{- $mechanism := include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_SASL_MECHANISM") -}}
{{- $certificate := hasKey .workload.files "KAFKA_SSL_CERTFILE" -}}
{{- if ne $certificate (hasKey .workload.files "KAFKA_SSL_KEYFILE") }}
files.KAFKA_SSL_{{ ternary "KEYFILE" "CERTFILE" $certificate }} is missing for {{ .name }}: a certificate of the client needs its key
{{- end }}
{{- if and (not (hasSuffix "SSL" $protocol)) (or $certificate (hasKey .workload.files "KAFKA_SSL_CAFILE")) }}
KAFKA_SECURITY_PROTOCOL of {{ .name }} is {{ $protocol }}, which has no TLS: set SSL or SASL_SSL, or leave the files KAFKA_SSL_… out
{{- end }}
{{- if not (hasPrefix "SASL_" $protocol) }}
{{- range $map := list "settings" "secrets" "files" }}
{{- range $variable, $value := get $.workload $map }}
{{- $isDefault := has (toString $value) (list "basic" "client_credentials") }}
{{- if and (regexMatch "^KAFKA_(SASL_(USERNAME|PASSWORD)$|OAUTH_)" $variable) (not $isDefault) }}
KAFKA_SECURITY_PROTOCOL of {{ $.name }} is {{ $protocol }}, which does not log in with {{ $map }}.{{ $variable }}: set SASL_SSL, or leave {{ $map }}.{{ $variable }} out
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (hasPrefix "SASL_" $protocol) (regexMatch "^(PLAIN|SCRAM-.*)$" $mechanism) }}
{{- if not .workload.settings.KAFKA_SASL_USERNAME }}
settings.KAFKA_SASL_USERNAME is missing for {{ .name }}: KAFKA_SECURITY_PROTOCOL={{ $protocol }} needs a user
{{- end }}
{{- if not .workload.secrets.KAFKA_SASL_PASSWORD }}
secrets.KAFKA_SASL_PASSWORD is missing for {{ .name }}: name the Secret with the password of its user in Kafka
{{- end }}
{{- end }}
{{- if and (hasPrefix "SASL_" $protocol) (eq $mechanism "OAUTHBEARER") }}
{{- include "orderflow.tokenProblems" (dict "root" .root "name" .name "workload" .workload "protocol" $protocol) }}
{{- end }}
{{- range $server := splitList "," (.workload.settings.KAFKA_BOOTSTRAP_SERVERS | default "") }}
{{- include "orderflow.portProblem" (dict "root" $.root "policy" "kafka" "variable" "KAFKA_BOOTSTRAP_SERVERS" "port" (regexFind ":[0-9]+$" (trim $server) | default ":9092" | trimPrefix ":")) }}
{{- end }}
{{- end -}}

{{/* The port of an address of HTTP. */}}
{{- define "orderflow.portOfUrl" -}}
{{- $server := regexFind "^https?://[^/]+" . -}}
{{- regexFind ":[0-9]+$" $server | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https:" $server)) -}}
{{- end -}}

{{/* A port that the network policy does not open. Takes root, policy (kafka, traces), variable, port (empty: none). */}}
{{- define "orderflow.portProblem" -}}
{{- $policies := .root.Values.networkPolicy -}}
{{- $opened := list -}}
{{- range get (get $policies .policy) "ports" }}{{ $opened = append $opened (include "orderflow.text" .) }}{{ end -}}
{{- if and $policies.enabled .port (not (has .port $opened)) }}
networkPolicy.{{ .policy }}.ports has no {{ .port }}, the port of {{ .variable }}: pods could not reach it; add it
{{- end }}
{{- end -}}

{{/* Not empty where a rule of extraEgress opens a port of TCP, or no policy closes it. Takes root, port. */}}
{{- define "orderflow.opens" -}}
{{- $port := int .port -}}
{{- if not .root.Values.networkPolicy.enabled -}}opened{{- end -}}
{{- range .root.Values.networkPolicy.extraEgress -}}
{{- if not .ports -}}opened{{- end -}}
{{- range .ports -}}
{{- $first := int (.port | default $port) -}}
{{- if and (eq (.protocol | default "TCP") "TCP") (le $first $port) (ge (int (.endPort | default $first)) $port) -}}opened{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Source of tokens for Kafka. Takes root, name, workload, protocol. */}}
{{- define "orderflow.tokenProblems" -}}
{{- $settings := .workload.settings -}}
{{- $isClosed := and .root.Values.networkPolicy.enabled (not .root.Values.networkPolicy.extraEgress) -}}
{{- if eq ($settings.KAFKA_OAUTH_PROVIDER | default "") "msk_iam" }}
{{- if not $settings.KAFKA_OAUTH_AWS_REGION }}
settings.KAFKA_OAUTH_AWS_REGION is missing for {{ .name }}: KAFKA_OAUTH_PROVIDER=msk_iam needs the region of the cluster
{{- end }}
{{- if ne .protocol "SASL_SSL" }}
KAFKA_SECURITY_PROTOCOL of {{ .name }} is {{ .protocol }}: KAFKA_OAUTH_PROVIDER=msk_iam needs SASL_SSL
{{- end }}
{{- if and (not $isClosed) (hasKey .root.Values.serviceAccount.annotations "eks.amazonaws.com/role-arn") (not (include "orderflow.opens" (dict "root" .root "port" 443))) }}
networkPolicy.extraEgress does not open port 443: pods of {{ .name }} could not reach STS of AWS, which gives the role of serviceAccount.annotations; add a rule
{{- end }}
{{- if $isClosed }}
networkPolicy.extraEgress is empty: pods of {{ .name }} could not get AWS credentials for KAFKA_OAUTH_PROVIDER=msk_iam; add a rule for STS of AWS, or for the agent on the node
{{- end }}
{{- else }}
{{- $url := $settings.KAFKA_OAUTH_TOKEN_URL | default "" }}
{{- if and $isClosed $url (not (regexMatch "^https?://(127[.]0[.]0[.]1|localhost|\\[::1\\])([:/]|$)" $url)) }}
networkPolicy.extraEgress is empty: pods of {{ .name }} could not reach KAFKA_OAUTH_TOKEN_URL; add a rule for the token server
{{- end }}
{{- range $variable := list "KAFKA_OAUTH_TOKEN_URL" "KAFKA_OAUTH_CLIENT_ID" }}
{{- if not (get $settings $variable) }}
settings.{{ $variable }} is missing for {{ $.name }}: KAFKA_SASL_MECHANISM=OAUTHBEARER needs a source of tokens
{{- end }}
{{- end }}
{{- if not .workload.secrets.KAFKA_OAUTH_CLIENT_SECRET }}
secrets.KAFKA_OAUTH_CLIENT_SECRET is missing for {{ .name }}: name the Secret with the secret of KAFKA_OAUTH_CLIENT_ID
{{- end }}
{{- end }}
{{- end -}}

{{/* Replicas, processes and KEDA of a service that consumes. Takes root, name, workload. */}}
{{- define "orderflow.replicaProblems" -}}
{{- $where := printf "services.%s" .name -}}
{{- $keda := .workload.keda -}}
{{- $partitions := include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_PARTITIONS") | int -}}
{{- $processes := .workload.processes | int -}}
{{- $most := ternary $keda.maxReplicas .workload.replicas $keda.enabled | int -}}
{{- $named := ternary "keda.maxReplicas" "replicas" $keda.enabled -}}
{{- if gt (mul $most $processes) $partitions }}
{{ $where }}.{{ $named }} is {{ $most }}{{ if gt $processes 1 }} with {{ $processes }} processes each{{ end }}, above the {{ $partitions }} partitions of each topic (KAFKA_PARTITIONS): the rest would have no work; set at most {{ max 1 (div $partitions $processes) }}
{{- end }}
{{- $session := include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_SESSION_TIMEOUT_MS") | int }}
{{- if gt (mul 2 (include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_HEARTBEAT_INTERVAL_MS") | int)) $session }}
KAFKA_HEARTBEAT_INTERVAL_MS of {{ .name }} is above half of KAFKA_SESSION_TIMEOUT_MS: lower it
{{- end }}
{{- if $keda.enabled }}
{{- if gt ($keda.minReplicas | int) ($keda.maxReplicas | int) }}
{{ $where }}.keda.minReplicas is {{ $keda.minReplicas }}, above keda.maxReplicas, {{ $keda.maxReplicas }}: lower it
{{- end }}
{{- $rebalance := div (add (include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_REBALANCE_TIMEOUT_MS") | int) 999) 1000 | int }}
{{- range $direction := list "Up" "Down" }}
{{- $key := printf "scale%sStabilizationSeconds" $direction }}
{{- $seconds := get $.root.Values.keda $key | int }}
{{- if lt $seconds $rebalance }}
keda.{{ $key }} is {{ $seconds }}, below a rebalance of {{ $.name }} (KAFKA_REBALANCE_TIMEOUT_MS, {{ $rebalance }} s): each change would start before the one before has ended
{{- end }}
{{- end }}
{{- $mechanism := include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_SASL_MECHANISM") }}
{{- $protocol := include "orderflow.setting" (dict "root" .root "workload" .workload "name" "KAFKA_SECURITY_PROTOCOL") }}
{{- if and (hasPrefix "SASL_" $protocol) (not .root.Values.keda.triggerAuthentication) (not (regexMatch "^(PLAIN|SCRAM-.*)$" $mechanism)) }}
keda.triggerAuthentication is missing: the chart makes none for KAFKA_SASL_MECHANISM={{ $mechanism }}; write one and name it
{{- end }}
{{- if and (not .root.Values.keda.triggerAuthentication) (or (get (.workload.files.KAFKA_SSL_CERTFILE | default dict) "configMap") (get (.workload.files.KAFKA_SSL_KEYFILE | default dict) "configMap")) }}
files.KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE of {{ .name }} are in a ConfigMap: KEDA reads them from a Secret
{{- end }}
{{- end }}
{{- end -}}
