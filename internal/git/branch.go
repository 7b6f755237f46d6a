package git

import (
	"errors"
	"fmt"
	"strings"
)

const headPrefix = "refs/heads/"

// ValidBranch reports why name cannot be a branch, or nil. The rules are those of git check-ref-format --branch, but "@",
// which git expands to HEAD, is refused, and names are limited to 244 bytes, because git keeps a branch in a file.
func ValidBranch(name string) error {
	if err := validRefPart(name); err != nil {
		return fmt.Errorf("branch name %q: %w", name, err)
	}
	if strings.HasPrefix(name, "-") {
		return fmt.Errorf("branch name %q: starts with a dash", name)
	}
	if name == "HEAD" {
		return fmt.Errorf("branch name %q: is reserved", name)
	}
	return nil
}

// refName turns a short branch name or a full ref name into a full ref name.
func refName(name string) (string, error) {
	if strings.HasPrefix(name, "refs/") {
		if err := validRefPart(name); err != nil {
			return "", fmt.Errorf("ref name %q: %w", name, err)
		}
		if short, ok := strings.CutPrefix(name, headPrefix); ok {
			return name, ValidBranch(short)
		}
		if strings.Count(name, "/") < 2 {
			return "", fmt.Errorf("ref name %q: expected refs/<kind>/<name>", name)
		}
		return name, nil
	}
	return headPrefix + name, ValidBranch(name)
}

func validRefPart(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > 244:
		return errors.New("is longer than 244 bytes")
	case name == "@":
		return errors.New(`is "@"`)
	case strings.Contains(name, ".."):
		return errors.New(`contains ".."`)
	case strings.Contains(name, "@{"):
		return errors.New(`contains "@{"`)
	case strings.HasSuffix(name, "."):
		return errors.New("ends with a dot")
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte("~^:?*[\\", c) >= 0 {
			return fmt.Errorf("contains %q", c)
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "":
			return errors.New("has an empty part between slashes")
		case part[0] == '.':
			return errors.New("has a part that starts with a dot")
		case strings.HasSuffix(part, ".lock"):
			return errors.New(`has a part that ends with ".lock"`)
		}
	}
	return nil
}
