package devforge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	repositories = "repositories"
	stateFile    = "state.json"
)

// wrote marks the end of a write. A state that cannot be saved is logged, not fatal: the forge in memory is still right.
func (f *Forge) wrote() {
	f.revision++
	if !f.config.Persist {
		return
	}
	if err := f.save(); err != nil {
		f.log.Error("save forge state", "error", err)
	}
}

func (f *Forge) save() error {
	data, err := json.Marshal(&f.tables)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(f.config.Root, stateFile+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), filepath.Join(f.config.Root, stateFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

func (f *Forge) load() error {
	if !f.config.Persist {
		return nil
	}
	path := filepath.Join(f.config.Root, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forge state: %w", err)
	}
	if err := json.Unmarshal(data, &f.tables); err != nil {
		return fmt.Errorf("forge state %q: %w; delete the directory to start anew", path, err)
	}
	if f.tables.Last == nil {
		f.tables.Last = map[string]int{}
	}
	for _, p := range f.tables.Projects {
		if !projectPath.MatchString(p.Path) {
			return fmt.Errorf("forge state %q: project path %q is not valid; delete the directory to start anew", path, p.Path)
		}
		p.repo = f.repository(p.Path)
	}
	return nil
}
