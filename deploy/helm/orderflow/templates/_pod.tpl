{{/*
The spec of a pod up to its container's name. Takes root, name, workload. Non-root, without token,
privileges or a file system that can be written, except /tmp.
*/}}
{{- define "orderflow.podSpec" -}}
serviceAccountName: {{ include "orderflow.fullname" .root }}-{{ .name }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
volumes:
  {{- include "orderflow.volumes" . | nindent 2 }}
{{- end -}}

{{/* A container up to its arguments. Takes root, name, workload. */}}
{{- define "orderflow.container" -}}
name: orderflow
image: {{ include "orderflow.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
env:
  {{- include "orderflow.environment" . | nindent 2 }}
{{- with .workload.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "orderflow.volumeMounts" . | nindent 2 }}
{{- end -}}

{{/* The pod template of a service. Takes root, name, workload. */}}
{{- define "orderflow.podTemplate" -}}
metadata:
  labels:
    {{- include "orderflow.labels" (dict "root" .root "component" .name "more" .workload.podLabels) | nindent 4 }}
  {{- with .workload.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "orderflow.podSpec" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "orderflow.grace" . }}
  {{- with .workload.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .workload.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .workload.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .workload.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: {{ $.workload.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "orderflow.selector" (dict "root" $.root "component" $.name) | nindent 10 }}
      {{- if not $.workload.staticMembership }}
      matchLabelKeys: [pod-template-hash]
      {{- end }}
    {{- end }}
  containers:
    - {{- include "orderflow.container" . | nindent 6 }}
      args:
        - serve
        - {{ .name }}
        {{- if gt (.workload.processes | int) 1 }}
        - --processes
        - {{ include "orderflow.text" .workload.processes | quote }}
        {{- end }}
      ports:
        - name: health
          containerPort: {{ .root.Values.ports.health }}
        {{- if eq .name "gateway" }}
        - name: http
          containerPort: {{ .root.Values.ports.gateway }}
        {{- end }}
      startupProbe:
        httpGet:
          path: /health/live
          port: health
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 60
      livenessProbe:
        httpGet:
          path: /health/live
          port: health
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet:
          path: /health/ready
          port: health
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      {{- with .workload.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ . }}
      {{- end }}
{{- end -}}

{{/* The pod template of a Job. Takes root, name, workload. */}}
{{- define "orderflow.jobTemplate" -}}
{{- $command := get (dict "migrate" (list "migrate") "topics" (list "topics" "create")) .name -}}
metadata:
  labels:
    {{- include "orderflow.labels" (dict "root" .root "component" .name) | nindent 4 }}
spec:
  restartPolicy: OnFailure
  {{- include "orderflow.podSpec" . | nindent 2 }}
  containers:
    - {{- include "orderflow.container" . | nindent 6 }}
      args:
        {{- toYaml (concat $command .workload.arguments) | nindent 8 }}
{{- end -}}
