{{/* Names, so that two releases can live in one namespace. */}}
{{- define "icn-node.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* What pods are chosen by. */}}
{{- define "icn-node.selector" -}}
app: {{ include "icn-node.name" . }}
{{- end }}

{{- define "icn-node.labels" -}}
{{ include "icn-node.selector" . }}
app.kubernetes.io/name: icn-node
app.kubernetes.io/part-of: icn
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "icn-node.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The release `icn-node` has the name that the other manifests have. */}}
{{- define "icn-node.config" -}}
{{ if eq (include "icn-node.name" .) "icn-node" }}icn-config{{ else }}{{ include "icn-node.name" . }}-config{{ end }}
{{- end }}
