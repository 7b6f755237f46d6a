package step

import (
	"context"

	"github.com/lockkeeper/lockkeeper/internal/jsonedit"
	"github.com/lockkeeper/lockkeeper/promote"
)

// jsonUpdate changes values in a JSON file, and creates missing keys.
func (r *run) jsonUpdate(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	return r.update(ctx, c, format{
		kind: func(data []byte, key string) valueKind {
			old, ok, err := jsonedit.Get(data, key)
			if err != nil || !ok {
				return textValue
			}
			return map[jsonedit.Kind]valueKind{jsonedit.KindNumber: numberValue, jsonedit.KindBool: boolValue}[old.Kind]
		},
		set: func(data []byte, edits []edit) ([]byte, []change, error) {
			out, changed, err := jsonedit.Set(data, values(edits, jsonedit.String, jsonedit.Number, jsonedit.Bool,
				func(key string, value jsonedit.Value) jsonedit.Edit { return jsonedit.Edit{Key: key, Value: value} })...)
			changes := make([]change, len(changed))
			for i, c := range changed {
				changes[i] = change{key: c.Key, before: c.Old, after: c.New, created: c.Created}
			}
			return out, changes, err
		},
	})
}
