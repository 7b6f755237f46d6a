package devforge

import (
	"encoding/json"
	"net/http"
	"slices"
)

// place is the line that a discussion is about; without a path it is about the merge request.
type place struct {
	Base, Start, Head string
	Path              string
	Line              int
}

// positionEntity is a place in a diff (doc/api/discussions.md).
type positionEntity struct {
	BaseSHA      string `json:"base_sha"`
	StartSHA     string `json:"start_sha"`
	HeadSHA      string `json:"head_sha"`
	PositionType string `json:"position_type"`
	OldPath      string `json:"old_path"`
	NewPath      string `json:"new_path"`
	OldLine      *int   `json:"old_line"`
	NewLine      *int   `json:"new_line"`
}

func (p place) show() *positionEntity {
	if p.Path == "" {
		return nil
	}
	return &positionEntity{
		BaseSHA: p.Base, StartSHA: p.Start, HeadSHA: p.Head, PositionType: "text", OldPath: p.Path, NewPath: p.Path, NewLine: &p.Line,
	}
}

// place reads where a discussion is to be. A line without its old number has to be one that the diff adds, as only such a line has
// a line code made of the new number alone (app/models/diff_note.rb; lib/gitlab/diff/position.rb).
func (c *call) place(m *mergeRequest) (place, error) {
	if !c.params.has("position") {
		return place{}, nil
	}
	var asked positionEntity
	if err := json.Unmarshal(c.params["position"], &asked); err != nil || asked.NewLine == nil || asked.PositionType != "text" {
		return place{}, invalid("position is invalid")
	}
	outside := refuse(http.StatusBadRequest, `400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"]}`)
	files, err := c.forge.requestDiff(c.Context(), c.project, m)
	if err != nil {
		return place{}, err
	}
	i := slices.IndexFunc(files, func(d fileDiff) bool { return d.newPath == asked.NewPath })
	if i < 0 || asked.HeadSHA != m.SHA || asked.BaseSHA != m.BaseSHA || asked.StartSHA != m.StartSHA || !files[i].adds(*asked.NewLine) {
		return place{}, outside
	}
	return place{Base: m.BaseSHA, Start: m.StartSHA, Head: m.SHA, Path: asked.NewPath, Line: *asked.NewLine}, nil
}
