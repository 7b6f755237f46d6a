package step

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/lockkeeper/lockkeeper/promote"
)

type setFreightAliasConfig struct {
	Name  string `json:"name"`
	Alias string `json:"alias"`
}

var labelValue = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)

// setFreightAlias gives the freight that is promoted a name for people.
func (r *run) setFreightAlias(_ context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg setFreightAliasConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	switch {
	case cfg.Name == "":
		return outcome{}, errors.New("config.name is missing: name the freight, as in name: ${{ ctx.targetFreight.name }}")
	case !labelValue.MatchString(cfg.Alias):
		return outcome{}, fmt.Errorf("config.alias is %q: write at most 63 letters, digits, dashes, dots and underscores, with a letter or a digit first and last", cfg.Alias)
	}
	freight, err := r.carried(cfg.Name)
	switch {
	case err != nil:
		return outcome{}, fmt.Errorf("config%w", err)
	case freight.ID != r.Promotion.Freight:
		return outcome{}, fmt.Errorf("config.name is %q, which the stage keeps: only the freight that is promoted, %s, can be named here", cfg.Name, r.Promotion.Freight)
	}
	for _, other := range r.Freights {
		if other.ID != freight.ID && other.Alias == cfg.Alias {
			return outcome{}, fmt.Errorf("config.alias is %q, as freight %s is called already: choose another", cfg.Alias, other.ID)
		}
	}
	r.result.Alias = cfg.Alias
	return outcome{status: promote.StepSucceeded}, nil
}
