package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"

	"github.com/lockkeeper/lockkeeper/promote"
)

type fileWriteConfig struct {
	Path        string  `json:"path"`
	Contents    *string `json:"contents"`
	Permissions string  `json:"permissions"` // octal; Git keeps 0755 of it when the owner may run the file, else 0644
	Overwrite   flag    `json:"overwrite"`
}

var octal = regexp.MustCompile(`^0[0-7]{3}$`)

// fileWrite makes a file. One that is there already is replaced only when the task says so.
func (r *run) fileWrite(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg fileWriteConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	mode, err := cfg.mode()
	if err != nil {
		return outcome{}, err
	}
	if !cfg.Overwrite {
		found, err := r.workspace.walk(ctx, cfg.Path)
		if err != nil {
			return outcome{}, err
		}
		if len(found) > 0 {
			return outcome{}, fmt.Errorf("%q is there already: set overwrite: true to replace it, or name another path", cfg.Path)
		}
	}
	if err := r.workspace.write(cfg.Path, []byte(*cfg.Contents), mode); err != nil {
		return outcome{}, err
	}
	return outcome{status: promote.StepSucceeded, message: "wrote " + r.workspace.shown(cfg.Path)}, nil
}

// mode checks the configuration and returns the mode that the file gets.
func (c fileWriteConfig) mode() (fs.FileMode, error) {
	switch {
	case c.Path == "":
		return 0, errors.New("config.path is missing: name the file to write, as in path: ./repo/version.txt")
	case c.Contents == nil:
		return 0, errors.New("config.contents is missing: write the file's text; contents: \"\" makes an empty file")
	case c.Permissions == "":
		return 0o644, nil
	case !octal.MatchString(c.Permissions):
		return 0, fmt.Errorf("config.permissions is %q: write four octal digits in quotes, as in permissions: \"0644\"", c.Permissions)
	}
	bits, err := strconv.ParseUint(c.Permissions, 8, 32)
	return git644(fs.FileMode(bits)), err
}
