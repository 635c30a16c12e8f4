{{/* The chart's name, for labels. */}}
{{- define "punctual.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the namespaced objects. 52 characters leave room for suffixes. */}}
{{- define "punctual.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Name of a cluster-scoped object, given (list $ "component"). It ends in the namespace, after a
dot, which no namespace may hold: two releases never meet.
*/}}
{{- define "punctual.clusterName" -}}
{{- $root := index . 0 }}
{{- printf "%s-%s.%s" (include "punctual.fullname" $root) (index . 1) $root.Release.Namespace }}
{{- end }}

{{- define "punctual.selectorLabels" -}}
app.kubernetes.io/name: {{ include "punctual.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "punctual.labels" -}}
{{- $own := fromYaml (include "punctual.selectorLabels" .) }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/part-of" "punctual" }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service }}
{{- toYaml (merge $own .Values.commonLabels) }}
{{- end }}

{{/* The metadata that every object shares: labels and, if there are any, annotations. */}}
{{- define "punctual.metadata" -}}
labels:
  {{- include "punctual.labels" . | nindent 2 }}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "punctual.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "punctual.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.create is false, so serviceAccount.name must name an account of this namespace" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The operator's account as the API server names it. */}}
{{- define "punctual.username" -}}
{{- printf "system:serviceaccount:%s:%s" .Release.Namespace (include "punctual.serviceAccountName" .) }}
{{- end }}

{{- define "punctual.leaseName" -}}
{{- default (include "punctual.fullname" .) .Values.leaderElection.leaseName }}
{{- end }}

{{- define "punctual.image" -}}
{{- with .Values.image }}
{{- if .registry }}{{ trimSuffix "/" .registry }}/{{ end }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ if .digest }}@{{ .digest }}{{ end }}
{{- end }}
{{- end }}

{{/* The account as a binding's subject. */}}
{{- define "punctual.subjects" -}}
- kind: ServiceAccount
  name: {{ include "punctual.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* What the operator does wherever it looks after Schedules. */}}
{{- define "punctual.rules" -}}
# Reads Schedules: what is to run, and when. Their spec and metadata it never writes.
- apiGroups: [punctual.dev]
  resources: [schedules]
  verbs: [get, list, watch]
# Stores what was decided, and the results.
- apiGroups: [punctual.dev]
  resources: [schedules/status]
  verbs: [patch]
# Reads ScheduleRuns, which ask for a run now; deletes them when their result has expired.
- apiGroups: [punctual.dev]
  resources: [scheduleruns]
  verbs: [get, list, watch, delete]
# Stores what became of them.
- apiGroups: [punctual.dev]
  resources: [scheduleruns/status]
  verbs: [patch]
# Owns Jobs in a Schedule's name with blockOwnerDeletion, which some clusters
# (OwnerReferencesPermissionEnforcement, OpenShift) allow only with this right.
- apiGroups: [punctual.dev]
  resources: [schedules/finalizers]
  verbs: [update]
# Starts Jobs and follows them; patches to suspend a Job that is being replaced and to set its
# time to live once it is recorded; deletes by the history limits and to replace.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# Reads exit code and message of a finished Pod, and why one does not start.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
# Tells people what happened.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* The Leases beside active Jobs. */}}
{{- define "punctual.runLeaseRules" -}}
# Creates, renews, takes over and deletes the Lease beside each active Job. It has the Job's
# name, so the right cannot be limited by name: see policies.ownLeasesOnly.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update, delete]
{{- end }}

{{/* Restricts a policy to the namespaces looked after. */}}
{{- define "punctual.watchedNamespaces" -}}
{{- with .Values.watchNamespaces }}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: In
      values: {{ toJson . }}
{{- end }}
{{- end }}
