package step

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
	"github.com/lockkeeper/lockkeeper/promote"
)

// yamlUpdate changes values in a YAML file.
func (r *run) yamlUpdate(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	return r.update(ctx, c, format{
		kind: func(data []byte, key string) valueKind {
			old, err := yamledit.Get(data, key)
			if err != nil {
				return textValue
			}
			return map[string]valueKind{"!!int": wholeValue, "!!float": numberValue, "!!bool": boolValue}[old.Tag]
		},
		set: func(data []byte, edits []edit) ([]byte, []change, error) {
			out, changed, err := yamledit.Set(data, values(edits, yamledit.String, yamledit.Number, yamledit.Bool,
				func(e edit, value yamledit.Value) yamledit.Edit {
					return yamledit.Edit{Key: e.key, Value: value, Create: e.create}
				})...)
			changes := make([]change, len(changed))
			for i, c := range changed {
				changes[i] = change{key: c.Key, before: c.Old, after: c.New, created: c.Created}
			}
			return out, changes, mayCreate(err, edits)
		},
		creates: true,
	})
}

// mayCreate tells who names a key that is missing how to add it.
func mayCreate(err error, edits []edit) error {
	problem, ok := errors.AsType[*yamledit.Error](err)
	if !ok || !errors.Is(err, yamledit.ErrKeyNotFound) ||
		slices.ContainsFunc(edits, func(e edit) bool { return e.key == problem.Key && e.create }) {
		return err
	}
	explained := *problem
	explained.Remedy = strings.TrimPrefix(problem.Remedy+"; write create: true beside the key to add it", "; ")
	return &explained
}
