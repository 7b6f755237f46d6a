// Package ledger keeps the history of a repository in Git: on the orphan branch lockkeeper/ledger, one small YAML file for
// each record, appended and replaced by compare-and-swap pushes. It owns the format and the way of writing it. It decides
// nothing: what to record is decided in package promote.
//
// # Format
//
// Every record is one YAML file with the keys of its Go type in package promote, and two more at the top:
//
//	apiVersion: lockkeeper/v1
//	kind: Freight | Promotion | Verification | Hold | Request | Approval | Rejection | Metadata
//
// Its path is made of its identity, so that the same record always lies in the same file:
//
//	freight/<project>/<freight ID>.yaml
//	promotions/<project>/<stage>/<number>.<freight, 7 characters>.yaml
//	verifications/<project>/<stage>/<freight ID>.yaml
//	holds/<project>/<stage>.yaml
//	holds/<project>/<stage>/<warehouse>.yaml
//	requests/<project>/<stage>/<key>.yaml
//	approvals/<project>/<stage>/<key>.yaml
//	rejections/<project>/<freight ID>.yaml
//	metadata/<project>/<freight or stage>/<freight ID or stage>.yaml
//
// Verifications and approvals are written once, freight but for its alias, and a request to merge a promotion but for what its author was
// shown, which a hold or a rejection takes away. A promotion and metadata are replaced as they change; the branch's history keeps every version. Lifting a hold or a rejection removes its file. Times are RFC 3339 in UTC. A file that is not understood is an error that
// names it: history is never guessed.
package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/yamltext"
	"github.com/lockkeeper/lockkeeper/promote"
)

const apiVersion = "lockkeeper/v1"

// maxRecordBytes bounds one record; a promotion with many steps is some kilobytes.
const maxRecordBytes = 1 << 20

// ErrFormat says that a file of the ledger is not a record that this version understands.
var ErrFormat = errors.New("not a record of the ledger")

// Record is one of promote.Freight, promote.Promotion, promote.Verification, promote.Hold, promote.Request, promote.Approval,
// promote.Rejection and promote.Metadata.
type Record any

// Removal takes the file of a record away.
type Removal struct{ Record Record }

// Path returns the file in which a record lies.
func Path(record Record) (string, error) {
	var parts []string
	switch r := record.(type) {
	case promote.Freight:
		parts = []string{"freight", r.Project, string(r.ID)}
	case promote.Promotion:
		parts = []string{"promotions", r.Stage.Project, r.Stage.Name, fmt.Sprintf("%06d.%s", r.Number, r.Freight.Short())}
	case promote.Verification:
		parts = []string{"verifications", r.Stage.Project, r.Stage.Name, string(r.Freight)}
	case promote.Hold:
		parts = []string{"holds", r.Stage.Project, r.Stage.Name}
		if r.Warehouse != "" {
			parts = append(parts, r.Warehouse)
		}
	case promote.Request:
		parts = []string{"requests", r.Stage.Project, r.Stage.Name, r.Key}
	case promote.Approval:
		parts = []string{"approvals", r.Stage.Project, r.Stage.Name, r.Key}
	case promote.Rejection:
		parts = []string{"rejections", r.Project, string(r.Freight)}
	case promote.Metadata:
		parts = []string{"metadata", r.Project, strings.ToLower(string(r.Kind)), r.Name}
	case Removal:
		return Path(r.Record)
	default:
		return "", fmt.Errorf("record of type %T: %w", record, ErrFormat)
	}
	for _, part := range parts {
		if !validPart(part) {
			return "", fmt.Errorf("record path %q: part %q: expected letters, digits, '-', '_' and '.'", path.Join(parts...), part)
		}
	}
	return path.Join(parts...) + ".yaml", nil
}

const allowedInNames = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// validPart accepts what may name a file or folder: Kubernetes names, hashes, keys.
func validPart(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(allowedInNames, r) })
}

// Print writes a record as YAML.
func Print(record Record) ([]byte, error) {
	kind, err := kindOf(record)
	if err != nil {
		return nil, err
	}
	body, err := yamltext.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("print %s: %w", kind, err)
	}
	return append(fmt.Appendf(nil, "apiVersion: %s\nkind: %s\n", apiVersion, kind), body...), nil
}

func kindOf(record Record) (string, error) {
	switch record.(type) {
	case promote.Freight:
		return "Freight", nil
	case promote.Promotion:
		return "Promotion", nil
	case promote.Verification:
		return "Verification", nil
	case promote.Hold:
		return "Hold", nil
	case promote.Request:
		return "Request", nil
	case promote.Approval:
		return "Approval", nil
	case promote.Rejection:
		return "Rejection", nil
	case promote.Metadata:
		return "Metadata", nil
	}
	return "", fmt.Errorf("record of type %T: %w", record, ErrFormat)
}

// Parse reads one record. The file must be the one in which the record belongs.
func Parse(file string, data []byte) (Record, error) {
	if len(data) > maxRecordBytes {
		return nil, fmt.Errorf("ledger file %q: %d bytes, at most %d: %w", file, len(data), maxRecordBytes, ErrFormat)
	}
	raw, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, fmt.Errorf("ledger file %q: %w: %w", file, ErrFormat, err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("ledger file %q: %w: %w", file, ErrFormat, err)
	}
	version, kind := unquote(fields["apiVersion"]), unquote(fields["kind"])
	if version != apiVersion {
		return nil, fmt.Errorf("ledger file %q: apiVersion %q, expected %q: %w; a newer Lockkeeper may have written it: use that one",
			file, version, apiVersion, ErrFormat)
	}
	delete(fields, "apiVersion")
	delete(fields, "kind")
	if raw, err = json.Marshal(fields); err != nil {
		return nil, fmt.Errorf("ledger file %q: %w", file, err)
	}
	record, err := decode(kind, raw)
	if err != nil {
		return nil, fmt.Errorf("ledger file %q: kind %q: %w: %w", file, kind, ErrFormat, err)
	}
	if want, err := Path(record); err != nil || want != file {
		return nil, fmt.Errorf("ledger file %q: the record in it belongs to %q: %w", file, want, ErrFormat)
	}
	return record, nil
}

func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func decode(kind string, raw []byte) (Record, error) {
	switch kind {
	case "Freight":
		return strict[promote.Freight](raw)
	case "Promotion":
		return strict[promote.Promotion](raw)
	case "Verification":
		return strict[promote.Verification](raw)
	case "Hold":
		return strict[promote.Hold](raw)
	case "Request":
		return strict[promote.Request](raw)
	case "Approval":
		return strict[promote.Approval](raw)
	case "Rejection":
		return strict[promote.Rejection](raw)
	case "Metadata":
		return strict[promote.Metadata](raw)
	}
	return nil, errors.New("expected Freight, Promotion, Verification, Hold, Request, Approval, Rejection or Metadata")
}

func strict[T any](raw []byte) (Record, error) {
	var record T
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&record)
	return record, err
}
