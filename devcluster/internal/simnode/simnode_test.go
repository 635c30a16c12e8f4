package simnode

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"
)

const started = "2026-11-21T10:00:00Z"

type stage struct {
	Metadata struct{ Name string }
	Spec     struct {
		Next struct {
			StatusTemplate string
			Delete         bool
		}
	}
}

// status renders a stage as the controllers do, with the functions that our stages use.
func status(t *testing.T, document string, annotations map[string]string) map[string]any {
	t.Helper()
	var s stage
	if err := yaml.Unmarshal([]byte(document), &s); err != nil {
		t.Fatal(err)
	}
	functions := template.FuncMap{
		"Now":   func() string { return started },
		"Quote": func(v any) (string, error) { data, err := json.Marshal(v); return string(data), err },
		"dict":  func() map[string]any { return map[string]any{} },
	}
	parsed, err := template.New("").Funcs(functions).Parse(s.Spec.Next.StatusTemplate)
	if err != nil {
		t.Fatal(err)
	}
	metadata := map[string]any{}
	if annotations != nil {
		values := map[string]any{}
		for key, value := range annotations {
			values[key] = value
		}
		metadata["annotations"] = values
	}
	pod := map[string]any{
		"metadata": metadata,
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "x"}}},
		"status": map[string]any{"containerStatuses": []any{map[string]any{
			"state": map[string]any{"running": map[string]any{"startedAt": "2026-11-21T09:59:00Z"}},
		}}},
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, pod); err != nil {
		t.Fatal(err)
	}
	var rendered map[string]any
	if err := yaml.Unmarshal(text.Bytes(), &rendered); err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	return rendered
}

func terminated(t *testing.T, status map[string]any) map[string]any {
	t.Helper()
	container := status["containerStatuses"].([]any)[0].(map[string]any)
	return container["state"].(map[string]any)["terminated"].(map[string]any)
}

func TestJobPodEndsWellByDefault(t *testing.T) {
	ended := status(t, jobPodEnd, nil)
	state := terminated(t, ended)
	if ended["phase"] != "Succeeded" || state["exitCode"] != 0.0 || state["reason"] != "Completed" || state["startedAt"] != "2026-11-21T09:59:00Z" {
		t.Errorf("%v", ended)
	}
}

func TestJobPodEndsAsItsAnnotationsSay(t *testing.T) {
	message := "two\nlines, \"quoted\" 'both' ways: é 日本 {{ .x }} # - \\ \t end"
	ended := status(t, jobPodEnd, map[string]string{AnnotationExitCode: "137", AnnotationMessage: message, AnnotationReason: "OOMKilled"})
	state := terminated(t, ended)
	if ended["phase"] != "Failed" || state["exitCode"] != 137.0 || state["reason"] != "OOMKilled" || state["message"] != message {
		t.Errorf("%v", ended)
	}
	if state := terminated(t, status(t, jobPodEnd, map[string]string{AnnotationExitCode: "1"})); state["reason"] != "Error" {
		t.Errorf("%v", state)
	}
}

func TestDeletedPodIsFinalBeforeItGoes(t *testing.T) {
	if ended := status(t, podTerminated, nil); ended["phase"] != "Failed" || terminated(t, ended)["exitCode"] != 143.0 {
		t.Errorf("%v", ended)
	}
}

func TestStagesReadTheAnnotationsThatAreDocumented(t *testing.T) {
	for _, annotation := range []string{AnnotationExitCode, AnnotationMessage, AnnotationReason, AnnotationDuration, AnnotationHang} {
		if !strings.Contains(jobPodEnd, `"`+annotation+`"`) {
			t.Errorf("no stage reads %s", annotation)
		}
	}
	for _, document := range Stages() {
		var s stage
		if err := yaml.Unmarshal([]byte(document), &s); err != nil || s.Metadata.Name == "" {
			t.Errorf("%v in\n%s", err, document)
		}
		if s.Spec.Next.StatusTemplate == "" && !s.Spec.Next.Delete {
			t.Errorf("stage %s does nothing", s.Metadata.Name)
		}
	}
}

func TestNodeIsMarkedAsSimulated(t *testing.T) {
	var node struct {
		Metadata struct {
			Name        string
			Annotations map[string]string
		}
	}
	if err := json.Unmarshal(NodeManifest(NodeName(2)), &node); err != nil {
		t.Fatal(err)
	}
	key, value, _ := strings.Cut(ManagedBy, "=")
	if node.Metadata.Name != "simulated-2" || node.Metadata.Annotations[key] != value {
		t.Errorf("%+v", node)
	}
}
