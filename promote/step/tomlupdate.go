package step

import (
	"context"

	"github.com/lockkeeper/lockkeeper/internal/tomledit"
	"github.com/lockkeeper/lockkeeper/promote"
)

// tomlUpdate changes values in a TOML file.
func (r *run) tomlUpdate(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	return r.update(ctx, c, format{
		kind: func(data []byte, key string) valueKind {
			old, err := tomledit.Get(data, key)
			if err != nil {
				return textValue
			}
			return map[tomledit.Kind]valueKind{
				tomledit.KindInteger: wholeValue, tomledit.KindFloat: numberValue, tomledit.KindBool: boolValue,
			}[old.Kind]
		},
		set: func(data []byte, edits []edit) ([]byte, []change, error) {
			out, changed, err := tomledit.Set(data, values(edits, tomledit.String, tomledit.Number, tomledit.Bool,
				func(key string, value tomledit.Value) tomledit.Edit { return tomledit.Edit{Key: key, Value: value} })...)
			changes := make([]change, len(changed))
			for i, c := range changed {
				changes[i] = change{key: c.Key, before: c.Old, after: c.New}
			}
			return out, changes, err
		},
	})
}
