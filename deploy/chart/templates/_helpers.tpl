{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The name that leads to every pod, ready or not: that of the headless service. */ -}}
{{- define "peers" -}}
{{ .Release.Name }}-peers.{{ .Release.Namespace }}.svc
{{- end }}

{{- /* What the server is told, unless the settings in the values say otherwise. */ -}}
{{- define "settings" -}}
{{- $auth := "/run/secrets/ormuco-cache/auth" }}
{{- $tls := "/run/secrets/ormuco-cache/tls" }}
LISTEN_ON: 0.0.0.0:11142
HTTP_ON: 0.0.0.0:9100
PEERS: {{ include "peers" . }}
AUTH_TOKEN_FILE: {{ $auth }}/token
{{- if .Values.snapshot.size }}
SNAPSHOT_FILE: /var/lib/ormuco-cache/snapshot
{{- end }}
{{- if .Values.tls.secret }}
TLS: "true"
TLS_CERT: {{ $tls }}/tls.crt
TLS_KEY: {{ $tls }}/tls.key
TLS_CA: {{ $tls }}/ca.crt
{{- end }}
{{- end }}
