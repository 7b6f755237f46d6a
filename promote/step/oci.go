package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

type ociDownloadConfig struct {
	ImageRef       string `json:"imageRef"`
	OutPath        string `json:"outPath"`
	MediaType      string `json:"mediaType"`
	AllowOverwrite flag   `json:"allowOverwrite"`
	SkipTLS        flag   `json:"insecureSkipTLSVerify"`
}

// ociDownload writes a layer of an OCI artifact into a file. It only reads: when a promotion is made again, it is downloaded
// again.
func (r *run) ociDownload(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg ociDownloadConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	switch {
	case cfg.ImageRef == "":
		return outcome{}, errors.New("config.imageRef is missing: name the artifact, such as ghcr.io/acme/config:1.2.3")
	case r.World.Registry == nil:
		return outcome{}, notConfigured("registries", "run the promotion on a server")
	}
	if err := r.vacant(ctx, cfg.OutPath, bool(cfg.AllowOverwrite)); err != nil {
		return outcome{}, err
	}
	options := RegistryOptions{MediaType: cfg.MediaType, SkipTLSVerify: bool(cfg.SkipTLS)}
	data, digest, err := r.World.Registry.Layer(ctx, cfg.ImageRef, options, maxFileBytes)
	if err != nil {
		return outcome{}, technicalError{err}
	}
	if err := r.workspace.write(cfg.OutPath, data, 0); err != nil {
		return outcome{}, err
	}
	return outcome{
		status: promote.StepSucceeded, output: map[string]any{"digest": digest}, message: fmt.Sprintf("downloaded %d bytes to %s", len(data), cfg.OutPath),
	}, nil
}

type ociPushConfig struct {
	SrcRef      string              `json:"srcRef"`
	DestRef     string              `json:"destRef"`
	Annotations map[string]scalarIn `json:"annotations"`
	SkipTLS     flag                `json:"insecureSkipTLSVerify"`
}

// ociPush copies an image, a chart or another artifact to another reference.
func (r *run) ociPush(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg ociPushConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	switch {
	case cfg.SrcRef == "":
		return outcome{}, errors.New("config.srcRef is missing: name what to copy, such as ghcr.io/acme/web:1.2.3")
	case cfg.DestRef == "":
		return outcome{}, errors.New("config.destRef is missing: name where to copy it, such as ghcr.io/acme/prod/web:1.2.3")
	case r.World.Registry == nil:
		return outcome{}, notConfigured("registries", "run the promotion on a server, whose configuration ociPush says where steps may write")
	}
	options := RegistryOptions{Annotations: texts(cfg.Annotations), SkipTLSVerify: bool(cfg.SkipTLS)}
	copied, err := r.World.Registry.Copy(ctx, cfg.SrcRef, cfg.DestRef, options)
	if err != nil {
		return outcome{}, technicalError{err}
	}
	return outcome{
		status: promote.StepSucceeded, message: fmt.Sprintf("copied to %s@%s", copied.Image, copied.Digest),
		output: map[string]any{"image": copied.Image, "digest": copied.Digest, "tag": copied.Tag},
	}, nil
}
