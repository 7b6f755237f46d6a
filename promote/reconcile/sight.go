package reconcile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// A sight is all that a person is shown of a change before it is merged. Its digest tells whether the same promotion, made again on
// another commit, shows the same.
type sight struct {
	files      []sightFile         // that the change writes, by path
	rendering  string              // Evidence.Rendering of its head
	promotions []promote.Promotion // all that share the change, in their order
}

// sightFile is one file of a change by the object IDs of its content, which are empty where it does not exist.
type sightFile struct{ Path, Before, After string }

// sightPart is what of a promotion is part of a sight: what it brings where, what it says of itself, and what its steps will do.
type sightPart struct {
	Stage   promote.StageRef
	ID      promote.PromotionID
	Freight promote.FreightID
	Others  []promote.FreightID
	Target  promote.Branch
	Title   string
	Text    string
	Labels  []string
	Vars    []promote.Var
	Steps   []promote.Step
}

// digest is equal for equal sights, and empty where it is not known what was shown: what cannot be rendered hides what changes.
func (s sight) digest() string {
	if s.rendering == "" || len(s.promotions) == 0 {
		return ""
	}
	parts := make([]sightPart, len(s.promotions))
	for i, p := range s.promotions {
		parts[i] = sightPart{p.Stage, p.ID, p.Freight, p.Others, p.Target, p.Title, p.Text, p.Labels, p.Vars, p.Steps}
	}
	text, err := json.Marshal(struct {
		Files     []sightFile
		Rendering string
		Parts     []sightPart
	}{s.files, s.rendering, parts})
	if err != nil {
		return "" // a step's configuration that is no JSON is refused where it is read
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// shows is the digest of what people will see of the head of a proposal, empty where that cannot be told. crew are all promotions that
// share its change.
func (r *Reconciler) shows(ctx context.Context, p promote.Promotion, evidence promote.Evidence, crew []promote.Promotion) string {
	files, err := r.written(ctx, p.Base, p.Head)
	if err != nil {
		r.Log.WarnContext(ctx, "whoever asks for it has to ask again when it is proposed anew", "promotion", p.ID, "error", err)
		return ""
	}
	return sight{files: files, rendering: evidence.Rendering, promotions: crew}.digest()
}

// written returns the files that differ between two commits, with the content that they have in each.
func (r *Reconciler) written(ctx context.Context, base, head promote.Commit) ([]sightFile, error) {
	changed, err := r.Git.Diff(ctx, string(base), string(head))
	if err != nil {
		return nil, err
	}
	before, err := r.Git.Tree(ctx, string(base))
	if err != nil {
		return nil, err
	}
	after, err := r.Git.Tree(ctx, string(head))
	if err != nil {
		return nil, err
	}
	files := make([]sightFile, 0, len(changed))
	for _, change := range changed {
		file := sightFile{Path: change.Path}
		if file.Before, err = contentOf(before, change.Path); err != nil {
			return nil, err
		}
		if file.After, err = contentOf(after, change.Path); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// contentOf returns the object ID of a file, empty where it is not there.
func contentOf(tree *git.Tree, path string) (string, error) {
	id, err := tree.ObjectID(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return id, err
}
