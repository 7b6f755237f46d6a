package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// RefUpdate moves one ref from exactly Old to New.
type RefUpdate struct {
	Ref string // required; a branch name, or a full ref name that starts with "refs/"
	Old string // commit the ref points to now; "" = the ref must not exist
	New string // commit it shall point to; "" deletes the ref
}

// RefResult says what became of one RefUpdate: a nil Err is done. Err wraps ErrMoved, ErrDenied, or neither.
type RefResult struct {
	Ref string // as in the update
	Err error
}

// Push updates refs in one request, with the objects that the server lacks. Each ref is decided on its own, and a move that
// is no fast-forward is made as well when Old is right: whether it may be is the caller's decision.
//
// The results are in the order of the updates. The error is for the push as a whole, and then no result is given:
// ErrUnauthorized, ErrRepositoryNotFound, a network error, or ErrOutcomeUnknown when the answer was lost (see the package
// comment). A nil error does not mean that every ref moved: look at each result.
func (r *Repository) Push(ctx context.Context, updates ...RefUpdate) ([]RefResult, error) {
	if len(updates) == 0 {
		return nil, nil
	}
	cmds, err := commands(updates)
	if err != nil {
		return nil, err
	}
	caps, err := r.capabilities(ctx, receivePack)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	report, messages, err := r.send(ctx, caps, cmds, true)
	if err == nil && report.UnpackStatus != "ok" {
		// A receiver may refuse thin packs, or have lost what the deltas build on: send whole objects instead.
		report, messages, err = r.send(ctx, caps, cmds, false)
	}
	if err != nil {
		return nil, err
	}
	return r.results(updates, cmds, report, messages), nil
}

// command is a RefUpdate in the terms of the protocol.
type command struct {
	ref      string
	old, new oid
}

func commands(updates []RefUpdate) ([]command, error) {
	cmds := make([]command, 0, len(updates))
	seen := map[string]bool{}
	for _, u := range updates {
		name, err := refName(u.Ref)
		if err != nil {
			return nil, err
		}
		c := command{ref: name}
		for _, side := range []struct {
			text string
			id   *oid
		}{{u.Old, &c.old}, {u.New, &c.new}} {
			if side.text == "" {
				continue
			}
			if *side.id, err = parseID(side.text); err != nil {
				return nil, fmt.Errorf("update of %q: %w", u.Ref, err)
			}
		}
		switch {
		case seen[name]:
			return nil, fmt.Errorf("ref %q is updated twice in one push", u.Ref)
		case c.old.IsZero() && c.new.IsZero():
			return nil, fmt.Errorf("update of %q names neither an old nor a new commit", u.Ref)
		}
		seen[name] = true
		cmds = append(cmds, c)
	}
	return cmds, nil
}

// send makes one request. The report is never nil when the error is.
func (r *Repository) send(ctx context.Context, caps capabilities, cmds []command, thin bool) (*packp.ReportStatus, string, error) {
	body, err := r.encodePush(caps, cmds, thin)
	if err != nil {
		return nil, "", err
	}
	var report *packp.ReportStatus
	var messages string
	c := call{operation: "push", service: receivePack, body: body}
	err = r.remote.do(ctx, c, func(answer io.Reader) (err error) {
		report, messages, err = readReport(answer, caps.has("side-band-64k"))
		return err
	})
	if err == nil {
		return report, messages, nil
	}
	if status, ok := errors.AsType[*HTTPError](err); ok && status.Status < 500 || unsent(err) {
		return nil, "", err
	}
	return nil, "", fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
}

func (r *Repository) encodePush(caps capabilities, cmds []command, thin bool) ([]byte, error) {
	words := []string{"report-status", "agent=" + userAgent}
	for _, optional := range []string{"side-band-64k", "delete-refs"} {
		if caps.has(optional) {
			words = append(words, optional)
		}
	}
	var b bytes.Buffer
	e := pktline.NewEncoder(&b)
	var tips []oid
	needsPack := false
	for i, c := range cmds {
		line := fmt.Sprintf("%s %s %s", c.old, c.new, c.ref)
		if i == 0 {
			line += "\x00 " + strings.Join(words, " ")
		}
		if err := e.EncodeString(line); err != nil {
			return nil, err
		}
		if !c.new.IsZero() {
			tips = append(tips, c.new)
			needsPack = true
		}
	}
	if err := e.Flush(); err != nil {
		return nil, err
	}
	if needsPack {
		pack, err := writePack(r.store.toSend(tips, thin))
		if err != nil {
			return nil, fmt.Errorf("encode pack: %w", err)
		}
		b.Write(pack)
	}
	return b.Bytes(), nil
}

func readReport(answer io.Reader, banded bool) (*packp.ReportStatus, string, error) {
	band := &sideband{lines: pktline.NewScanner(answer)}
	report := packp.NewReportStatus()
	if !banded {
		return report, "", report.Decode(answer)
	}
	err := report.Decode(band)
	return report, band.text(), err
}

// results matches the server's report with the updates and notes what arrived.
func (r *Repository) results(updates []RefUpdate, cmds []command, report *packp.ReportStatus, messages string) []RefResult {
	status := make(map[string]string, len(report.CommandStatuses))
	for _, s := range report.CommandStatuses {
		status[s.ReferenceName.String()] = s.Status
	}
	out := make([]RefResult, 0, len(updates))
	var arrived []oid
	for i, c := range cmds {
		res := RefResult{Ref: updates[i].Ref}
		reason, answered := status[c.ref]
		switch {
		case report.UnpackStatus != "ok":
			res.Err = fmt.Errorf("push %q: server could not unpack the objects: %q", c.ref, oneLine(report.UnpackStatus, 300))
		case !answered:
			res.Err = fmt.Errorf("push %q: server reported no status: %w", c.ref, ErrOutcomeUnknown)
		case reason != "ok":
			res.Err = fmt.Errorf("push %q: %w", c.ref, refusal(oneLine(reason, 300), messages))
		case !c.new.IsZero() && !slices.Contains(arrived, c.new):
			arrived = append(arrived, c.new)
		}
		out = append(out, res)
	}
	r.store.pushed(arrived)
	return out
}
