package helm

import (
	"encoding/base64"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/gobwas/glob"
	"helm.sh/helm/v4/pkg/chart/common"
)

// files is what templates know as .Files: the files of a chart that are neither templates nor values.
type files map[string][]byte

func newFiles(from []*common.File) files {
	out := make(files, len(from))
	for _, f := range from {
		out[f.Name] = f.Data
	}
	return out
}

// GetBytes returns the file's content, empty when there is no such file.
func (f files) GetBytes(name string) []byte {
	if data, ok := f[name]; ok {
		return data
	}
	return []byte{}
}

// Get returns the file's content as text, "" when there is no such file.
func (f files) Get(name string) string { return string(f.GetBytes(name)) }

// Glob returns the files whose path matches. As in Helm, a pattern that is none matches everything.
func (f files) Glob(pattern string) files {
	matches, err := glob.Compile(pattern, '/')
	out := files{}
	for name, data := range f {
		if err != nil || matches.Match(name) {
			out[name] = data
		}
	}
	return out
}

// AsConfig writes the files as the data of a ConfigMap. Of files with the same base name the last path wins.
func (f files) AsConfig() string {
	return f.asData(func(data []byte) string { return string(data) })
}

// AsSecrets writes the files as the data of a Secret.
func (f files) AsSecrets() string { return f.asData(base64.StdEncoding.EncodeToString) }

func (f files) asData(encode func([]byte) string) string {
	if f == nil {
		return ""
	}
	data := make(map[string]string, len(f))
	for _, name := range slices.Sorted(maps.Keys(f)) {
		data[path.Base(name)] = encode(f[name])
	}
	return toYAML(data)
}

// Lines returns the lines of a file.
func (f files) Lines(name string) []string {
	text, ended := strings.CutSuffix(string(f[name]), "\n")
	if text == "" && !ended {
		return []string{}
	}
	return strings.Split(text, "\n")
}
