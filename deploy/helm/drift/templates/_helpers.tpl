{{- define "drift.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "drift.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "drift.labels" -}}
{{ include "drift.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* What a resource of one monitor is called: a name of its own, also where two differ in case or signs alone. */}}
{{- define "drift.run" -}}
{{- $plain := regexReplaceAll "[^a-z0-9]+" (lower .monitor) "-" | trimAll "-" | trunc 20 | trimSuffix "-" -}}
{{- printf "%s-%s" $plain (sha256sum .monitor | trunc 6) | trimPrefix "-" -}}
{{- end }}

{{- define "drift.secret" -}}
valueFrom: {secretKeyRef: {name: {{ required "name the Secret" .secret | quote }}, key: {{ .key | quote }}}}
{{- end }}

{{- define "drift.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 50000
  runAsGroup: 50000
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - {name: tmp, emptyDir: {}}
{{- end }}

{{- define "drift.monitors" -}}
- name: monitors
  configMap: {name: {{ .Values.monitors.configMap | default (printf "%s-monitors" (include "drift.name" .)) | quote }}}
{{- end }}

{{- define "drift.container" -}}
image: {{ printf "%s:%s" (required "image.repository: the image that you built and pushed" .Values.image.repository) (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* A job that works as the writer: context, name, arguments. */}}
{{- define "drift.cronjob" -}}
{{- $root := .root -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ printf "%s-%s" (include "drift.name" $root) .name | trunc 52 | trimSuffix "-" }}
  labels: {{- include "drift.labels" $root | nindent 4 }}
  {{- with .monitor }}
  annotations: {drift/monitor: {{ . | quote }}}
  {{- end }}
spec:
  schedule: {{ .schedule | quote }}
  timeZone: {{ $root.Values.timeZone | quote }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: {{ .retries }}
      template:
        metadata:
          labels: {{- include "drift.labels" $root | nindent 12 }}
        spec:
          restartPolicy: Never
          {{- include "drift.pod" $root | nindent 10 }}
            {{- include "drift.monitors" $root | nindent 12 }}
          containers:
            - name: drift
              {{- include "drift.container" $root | nindent 14 }}
              args: {{ toJson .args }}
              env:
                - {name: HOME, value: /tmp}
                - {name: DRIFT_MONITORS, value: /monitors}
                - name: DRIFT_DATABASE
                  {{- include "drift.secret" $root.Values.database.writer | nindent 18 }}
                {{- with $root.Values.env }}
                {{- toYaml . | nindent 16 }}
                {{- end }}
              {{- with $root.Values.envFrom }}
              envFrom: {{- toYaml . | nindent 16 }}
              {{- end }}
              resources: {{- toYaml $root.Values.resources | nindent 16 }}
              volumeMounts:
                - {name: tmp, mountPath: /tmp}
                - {name: monitors, mountPath: /monitors, readOnly: true}
{{- end }}
