package step

import (
	"context"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// yamlParse evaluates expressions over the first document of a YAML file.
func (r *run) yamlParse(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	return r.parse(ctx, c, firstDocument)
}

func firstDocument(name string, data []byte) (map[string]any, error) {
	documents, err := manifest.Separate(name, data)
	if err != nil {
		return nil, err
	}
	for _, document := range documents {
		var fields map[string]any
		if err := yaml.Unmarshal(document.Raw, &fields); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		if fields != nil {
			return fields, nil
		}
	}
	return nil, fmt.Errorf("%q holds no YAML mapping", name)
}
