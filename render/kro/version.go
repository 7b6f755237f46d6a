package kro

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Version is a version of kro. The zero Version is the newest one whose rules are known here.
type Version struct {
	text                string
	major, minor, patch int
}

// The first and the last version whose rules are known here.
var (
	oldest = Version{"0.7.0", 0, 7, 0}
	newest = Version{"0.9.4", 0, 9, 4}
)

var versionText = regexp.MustCompile(`^v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?$`)

// ParseVersion reads a version as 0.8, which is the newest 0.8, or 0.8.5; a leading v does not matter, and "" is the zero
// Version.
func ParseVersion(text string) (Version, error) {
	if text == "" {
		return Version{}, nil
	}
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return Version{}, fmt.Errorf("%q is no version of kro", text)
	}
	v := Version{text: m[1] + "." + m[2], patch: math.MaxInt}
	v.major, _ = strconv.Atoi(m[1]) // the expression lets nothing but digits through
	v.minor, _ = strconv.Atoi(m[2])
	if m[3] != "" {
		v.patch, _ = strconv.Atoi(m[3])
		v.text += "." + m[3]
	}
	return v, nil
}

// String prints the version as it was written.
func (v Version) String() string {
	if v.text == "" {
		return newest.text
	}
	return v.text
}

// Unknown says what to know when the rules of the version are not known here, and "" when they are.
func (v Version) Unknown() string {
	switch {
	case v.text == "":
		return ""
	case v.before(oldest):
		return fmt.Sprintf("kro %s is older than %s: the rules of %s are used, which may let through what %s does not know", v, oldest, oldest, v)
	case v.patch != math.MaxInt && newest.before(v), cmp.Or(cmp.Compare(v.major, newest.major), cmp.Compare(v.minor, newest.minor)) > 0:
		return fmt.Sprintf("kro %s is newer than %s: the rules of %s are used", v, newest, newest)
	}
	return ""
}

func (v Version) before(other Version) bool {
	if v.text == "" {
		return false
	}
	return cmp.Or(cmp.Compare(v.major, other.major), cmp.Compare(v.minor, other.minor), cmp.Compare(v.patch, other.patch)) < 0
}
