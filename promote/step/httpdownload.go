package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

type httpDownloadConfig struct {
	URL            string      `json:"url"`
	OutPath        string      `json:"outPath"`
	AllowOverwrite flag        `json:"allowOverwrite"`
	Headers        []nameValue `json:"headers"`
	QueryParams    []nameValue `json:"queryParams"`
	Timeout        interval    `json:"timeout"`
	SkipTLS        flag        `json:"insecureSkipTLSVerify"`
	Error          string      `json:"errorExpression"`
}

const defaultDownloadTimeout = 5 * time.Minute

// httpDownload writes what a URL gives into a file. It only reads: when a promotion is made again, it is downloaded again.
func (r *run) httpDownload(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg httpDownloadConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if err := r.vacant(ctx, cfg.OutPath, bool(cfg.AllowOverwrite)); err != nil {
		return outcome{}, err
	}
	asked := call{
		url: cfg.URL, headers: cfg.Headers, query: cfg.QueryParams, timeout: cfg.Timeout.or(defaultDownloadTimeout),
		insecure: bool(cfg.SkipTLS), limit: maxFileBytes,
	}
	got, err := r.send(ctx, asked)
	if err != nil {
		return outcome{}, err
	}
	if cfg.Error != "" {
		response, err := got.response("text/plain")
		if err != nil {
			return outcome{}, err
		}
		broken, err := holds("errorExpression", cfg.Error, response)
		if err != nil {
			return outcome{}, err
		}
		if broken {
			return outcome{}, technicalError{fmt.Errorf("%s answers %s, for which errorExpression is true", asked.named(), got.words())}
		}
	}
	if !got.ok() {
		return outcome{}, fmt.Errorf("%s answers %s, expected 2xx", asked.named(), got.words())
	}
	if err := r.workspace.write(cfg.OutPath, got.body, 0); err != nil {
		return outcome{}, err
	}
	return outcome{status: promote.StepSucceeded, message: fmt.Sprintf("downloaded %d bytes to %s", len(got.body), cfg.OutPath)}, nil
}

// vacant makes sure that a file may be written.
func (r *run) vacant(ctx context.Context, name string, overwrite bool) error {
	if name == "" {
		return errors.New("config.outPath is missing: name the file to write, as in outPath: ./download.tgz")
	}
	_, err := r.workspace.file(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !overwrite:
		return fmt.Errorf("%q is there already: set allowOverwrite: true to replace it", name)
	}
	return nil
}
