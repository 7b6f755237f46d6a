package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Digest is equal for reports that say the same of what changes, whatever of it a text has room for. How much stays as it is does not
// count. Like the report it is of masked values: it tells nothing of a secret.
func Digest(r Report) (string, error) {
	sum := sha256.New()
	encoder := json.NewEncoder(sum) // an application at a time: a report may be large
	lines := []any{[]int{len(r.Facts), len(r.Apps), r.Unknown}, jsonFindings(r.Findings)}
	for _, f := range r.Facts {
		lines = append(lines, jsonFactOf(f))
	}
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return "", fmt.Errorf("digest of what changes: %w", err)
		}
	}
	for _, app := range r.Apps {
		one := jsonAppOf(app)
		one.Unchanged = 0
		if err := encoder.Encode(one); err != nil {
			return "", fmt.Errorf("digest of application %q: %w", app.Name, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
