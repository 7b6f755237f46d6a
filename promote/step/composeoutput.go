package step

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/promote"
)

// composeOutput gives its configuration as its output. In a task that is the output of the task as well (Kargo:
// outputs.<task alias>).
func (r *run) composeOutput(_ context.Context, _ promote.Step, c config) (outcome, error) {
	output, ok := restore(c.tree, "", c.retyped).(map[string]any)
	if !ok {
		return outcome{}, errors.New("config is not a mapping: write what to give, as in config: {url: ${{ … }}}")
	}
	return succeeded(output), nil
}

type failConfig struct {
	Message string `json:"message"`
}

// failStep fails, with the words of the task.
func (r *run) failStep(_ context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg failConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if cfg.Message == "" {
		return outcome{}, errors.New("the task fails here on purpose, and gives no message")
	}
	return outcome{}, errors.New(cfg.Message)
}
