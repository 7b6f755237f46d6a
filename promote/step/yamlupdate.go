package step

import (
	"context"

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
				func(key string, value yamledit.Value) yamledit.Edit { return yamledit.Edit{Key: key, Value: value} })...)
			changes := make([]change, len(changed))
			for i, c := range changed {
				changes[i] = change{key: c.Key, before: c.Old, after: c.New}
			}
			return out, changes, err
		},
	})
}
