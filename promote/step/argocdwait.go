package step

import (
	"fmt"
	"slices"
	"strings"
)

type argocdWaitConfig struct {
	Apps []awaitedApp `json:"apps"`
}

type awaitedApp struct {
	appConfig
	WaitFor []string `json:"waitFor"`
}

func awaited(c config) ([]Application, error) {
	var cfg argocdWaitConfig
	if err := c.decode(&cfg); err != nil {
		return nil, err
	}
	if len(cfg.Apps) == 0 {
		return nil, errNoApps
	}
	all := make([]Application, 0, len(cfg.Apps))
	for i, app := range cfg.Apps {
		one, err := app.application(i)
		if err != nil {
			return nil, err
		}
		if one.WaitFor, err = app.waitFor(i); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// waitFor reads what an application is waited for to be.
func (a awaitedApp) waitFor(i int) ([]WaitFor, error) {
	if len(a.WaitFor) == 0 {
		return []WaitFor{WaitForHealth, WaitForSync, WaitForOperation}, nil
	}
	known := []string{
		string(WaitForHealth), string(WaitForSync), string(WaitForOperation), string(WaitForSuspended), string(WaitForDegraded),
	}
	all := make([]WaitFor, 0, len(a.WaitFor))
	for _, name := range a.WaitFor {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("config.apps[%d].waitFor: %q cannot be waited for: expected %s", i, name, strings.Join(known, ", "))
		}
		all = append(all, WaitFor(name))
	}
	return all, nil
}
