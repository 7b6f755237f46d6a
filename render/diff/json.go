package diff

import (
	"github.com/lockkeeper/lockkeeper/internal/jsontext"
	"github.com/lockkeeper/lockkeeper/render/object"
)

type jsonReport struct {
	Empty        bool          `json:"empty"`
	Counts       jsonCounts    `json:"counts"`
	Unchanged    int           `json:"unchanged"`
	Unknown      int           `json:"unknown,omitempty"`
	Facts        []jsonFact    `json:"facts"`
	Findings     []jsonFinding `json:"findings,omitempty"`
	Applications []jsonApp     `json:"applications"`
}

type jsonCounts struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Removed int `json:"removed"`
	Renamed int `json:"renamed,omitempty"`
}

type jsonFact struct {
	Kind         FactKind `json:"kind"`
	Text         string   `json:"text"`
	Danger       bool     `json:"danger,omitempty"`
	Grave        bool     `json:"grave,omitempty"`
	Applications []string `json:"applications"`
	Links        []string `json:"links,omitempty"`
}

type jsonApp struct {
	Name      string        `json:"name"`
	Namespace string        `json:"namespace,omitempty"`
	Stage     string        `json:"stage,omitempty"`
	Kind      Kind          `json:"kind"`
	Was       string        `json:"was,omitempty"`
	Partial   bool          `json:"partial,omitempty"`
	Unchanged int           `json:"unchanged"`
	From      string        `json:"from,omitempty"`
	To        string        `json:"to,omitempty"`
	Findings  []jsonFinding `json:"findings,omitempty"`
	Objects   []jsonObject  `json:"objects"`
}

type jsonFinding struct {
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Where    string   `json:"where,omitempty"`
}

type jsonObject struct {
	ID     jsonID         `json:"id"`
	Kind   Kind           `json:"kind"`
	Was    *jsonID        `json:"was,omitempty"`
	Source jsonSource     `json:"source"`
	Fields []jsonField    `json:"fields,omitempty"`
	Base   map[string]any `json:"base,omitempty"`
	Head   map[string]any `json:"head,omitempty"`
}

type jsonID struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

type jsonSource struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Via  string `json:"via,omitempty"`
}

type jsonField struct {
	Path   string `json:"path"`
	Kind   Kind   `json:"kind"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
	Only   Only   `json:"only,omitempty"`
	Noise  Noise  `json:"noise,omitempty"`
}

// JSON returns the report as an indented JSON document with a newline at the end; the package comment says its shape.
func JSON(r Report) ([]byte, error) {
	out := jsonReport{
		Empty: r.Empty(), Unchanged: r.Unchanged, Unknown: r.Unknown, Facts: []jsonFact{}, Findings: jsonFindings(r.Findings), Applications: []jsonApp{},
	}
	out.Counts.Added, out.Counts.Changed, out.Counts.Removed = r.Counts()
	out.Counts.Renamed = r.Renamed()
	for _, f := range r.Facts {
		out.Facts = append(out.Facts, jsonFactOf(f))
	}
	for _, app := range r.Apps {
		out.Applications = append(out.Applications, jsonAppOf(app))
	}
	return jsontext.Indented(out)
}

func jsonFactOf(f Fact) jsonFact {
	fact := jsonFact{Kind: f.Kind, Text: f.String(), Danger: f.Danger, Grave: f.Grave, Applications: f.Apps}
	for _, p := range f.Parts {
		if p.Link != "" {
			fact.Links = append(fact.Links, p.Link)
		}
	}
	return fact
}

func jsonAppOf(app AppChange) jsonApp {
	out := jsonApp{
		Name: app.Name, Was: app.Was, Namespace: app.Namespace, Stage: app.Stage, Kind: app.Kind, Partial: app.Partial, Unchanged: app.Unchanged,
		From: app.From, To: app.To, Objects: []jsonObject{}, Findings: jsonFindings(app.Findings),
	}
	for _, o := range app.Objects {
		j := jsonObject{ID: jsonID(o.ID), Kind: o.Kind, Source: jsonSource(o.Source), Base: fieldsOf(o.Base), Head: fieldsOf(o.Head)}
		if o.Kind == Renamed {
			j.Was = new(jsonID(o.Was))
		}
		for _, f := range o.Fields {
			j.Fields = append(j.Fields, jsonField{f.Path, f.Kind, f.Before, f.After, f.Only, f.Noise})
		}
		out.Objects = append(out.Objects, j)
	}
	return out
}

func jsonFindings(findings []Finding) []jsonFinding {
	var out []jsonFinding
	for _, f := range findings {
		if f.Severity == "" {
			f.Severity = SeverityInfo
		}
		out = append(out, jsonFinding(f))
	}
	return out
}

func fieldsOf(o *object.Object) map[string]any {
	if o == nil {
		return nil
	}
	return o.Fields
}
