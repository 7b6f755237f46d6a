package expr

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// freightFunctions give artifacts of the freight. What they do not find is noted in t and is null.
func (e Env) freightFunctions(t *trail) []function {
	return []function{
		{"imageFrom", func(args ...any) (any, error) { return e.freight().result(imageSought(args), t) }, []any{
			new(func(string) *Image), new(func(string, Origin) *Image),
		}},
		{"commitFrom", func(args ...any) (any, error) { return e.freight().result(commitSought(args), t) }, []any{
			new(func(string) *Commit), new(func(string, Origin) *Commit),
		}},
		{"chartFrom", func(args ...any) (any, error) { return e.freight().result(chartSought(args), t) }, []any{
			new(func(string) *Chart), new(func(string, string) *Chart), new(func(string, Origin) *Chart), new(func(string, string, Origin) *Chart),
		}},
		{"artifactFrom", func(args ...any) (any, error) { return e.freight().artifact(artifactSought(args), t) }, []any{
			new(func(string) *Artifact), new(func(string, Origin) *Artifact),
		}},
	}
}

func (e Env) freight() freight { return freight{e.held(), e.Requested} }

func (f freight) result(s sought, t *trail) (any, error) {
	found, err := f.find(s)
	if err != nil {
		return nil, t.note(err)
	}
	return found.result, nil
}

func (f freight) artifact(s sought, t *trail) (any, error) {
	found, err := f.find(s)
	if err != nil {
		return nil, t.note(err)
	}
	return found.artifact(), nil
}

const checkRepo = "check the Warehouse's repoURL and the variable"

func imageSought(args []any) sought {
	repo := args[0].(string)
	s := written("imageFrom", args)
	s.kind, s.noun, s.by, s.remedy = kindImage, "image", fmt.Sprintf("comes from %q", excerpt(repo)), checkRepo
	s.same = []func(Subscription) bool{
		func(have Subscription) bool { return have.RepoURL == repo },
		func(have Subscription) bool { return promote.SameImage(have.RepoURL, repo) },
	}
	return s
}

func commitSought(args []any) sought {
	repo := args[0].(string)
	s := written("commitFrom", args)
	s.kind, s.noun, s.by, s.remedy = kindGit, "commit", fmt.Sprintf("comes from %q", excerpt(repo)), checkRepo
	s.same = []func(Subscription) bool{
		func(have Subscription) bool { return have.RepoURL == repo },
		func(have Subscription) bool { return promote.SameGitRepository(have.RepoURL, repo) },
	}
	return s
}

func chartSought(args []any) sought {
	repo, name := args[0].(string), ""
	if len(args) > 1 {
		name, _ = args[1].(string)
	}
	s := written("chartFrom", args)
	s.kind, s.noun, s.by, s.remedy = kindChart, "chart", fmt.Sprintf("comes from %q", excerpt(repo)), checkRepo
	if name != "" {
		s.by = fmt.Sprintf("is %q from %q", excerpt(name), excerpt(repo))
	} else if strings.HasPrefix(repo, "http") {
		s.remedy = "name the chart as the second argument: an HTTP repository holds several"
	}
	s.same = []func(Subscription) bool{
		func(have Subscription) bool { return have.RepoURL == repo && have.Chart == name },
		func(have Subscription) bool {
			return promote.NormalizeChartURL(have.RepoURL) == promote.NormalizeChartURL(repo) && have.Chart == name
		},
	}
	return s
}

func artifactSought(args []any) sought {
	name := args[0].(string)
	s := written("artifactFrom", args)
	s.noun, s.by, s.remedy = "artifact", fmt.Sprintf("has the subscription %q", excerpt(name)), "give the Warehouse's subscription that name"
	s.same = []func(Subscription) bool{func(have Subscription) bool { return name != "" && have.Name == name }}
	return s
}

// written begins a search by the arguments of its call: texts, and a warehouse at the end.
func written(function string, args []any) sought {
	s := sought{name: args[0].(string)}
	var texts []string
	for _, arg := range args {
		switch arg := arg.(type) {
		case string:
			texts = append(texts, fmt.Sprintf("%q", excerpt(arg)))
		case Origin:
			s.origin = arg.Name
		}
	}
	plain := function + "(" + strings.Join(texts, ", ")
	s.again = strings.ReplaceAll(plain, "%", "%%") + ", warehouse(%q))"
	s.call = plain + ")"
	if s.origin != "" {
		s.call = fmt.Sprintf(s.again, excerpt(s.origin))
	}
	return s
}
