package forgetest

import (
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

var memberRows = []row{
	{name: "people may do what their part in the repository allows", run: permissions, dev: true},
	{name: "a person administers, and one who is not there may do nothing", run: somePermissions},
	{name: "groups and teams have members", run: groups, dev: true},
	{name: "the last word of an approver counts, and comments are none", run: approvers},
	{name: "an approval is of the head that it was given to, also where the forge keeps it", run: approvedHeads, dev: true},
}

func permissions(g *ground) {
	for _, test := range []struct {
		name   string
		person promote.Person
		want   promote.Permission
	}{
		{"the owner", g.person(lea), promote.PermissionAdmin},
		{"a maintainer", g.person(mia), promote.PermissionMaintain},
		{"a writer", g.person(wes), promote.PermissionWrite},
		{"a reader", g.person(rita), promote.PermissionRead},
		{"a stranger", g.person(stranger), promote.PermissionNone},
		{"somebody who is not there", promote.Person{ID: 4711, Name: "nobody"}, promote.PermissionNone},
	} {
		if got, err := g.Permission(g.Context(), test.person); err != nil || got != test.want {
			g.Errorf("%s: got %s, %v, want %s", test.name, got, err, test.want)
		}
	}
	if err := g.dev.AddMember(g.path, wes, 0); err != nil {
		g.Fatal(err)
	}
	if got, err := g.Permission(g.Context(), g.person(wes)); err != nil || got != promote.PermissionNone {
		g.Errorf("one who has left: %s, %v", got, err)
	}
	g.renamed()
}

// renamed: GitHub asks by name, and a name that was given up may be taken by somebody else. GitLab asks by number, and
// by name where none is known.
func (g *ground) renamed() {
	g.Helper()
	taken := promote.Person{ID: g.people[stranger].ID, Name: lea}
	want := promote.PermissionNone
	if got, err := g.Permission(g.Context(), taken); err != nil || got != want {
		g.Errorf("a stranger by the name that is now the owner's: %s, %v", got, err)
	}
	renamed := promote.Person{ID: g.people[lea].ID, Name: "lea-of-old"}
	if g.kind == gitLab {
		want = promote.PermissionAdmin
	}
	if got, err := g.Permission(g.Context(), renamed); err != nil || got != want {
		g.Errorf("the owner by a name of old: %s, %v, want %s", got, err, want)
	}
	for name, want := range map[string]promote.Permission{lea: promote.PermissionAdmin, wes: promote.PermissionNone, "nobody": promote.PermissionNone} {
		if got, err := g.Permission(g.Context(), promote.Person{Name: name}); err != nil || got != want {
			g.Errorf("%s, whose number is not known: %s, %v, want %s", name, got, err, want)
		}
	}
}

func (g *ground) person(role string) promote.Person {
	who := g.people[role]
	return promote.Person{ID: who.ID, Name: who.Name}
}

func somePermissions(g *ground) {
	if got, err := g.Permission(g.Context(), g.person(lea)); err != nil || got < promote.PermissionMaintain {
		g.Errorf("got %s, %v", got, err)
	}
	if got, err := g.Permission(g.Context(), promote.Person{ID: 1 << 40, Name: "nobody-of-that-name-at-all"}); err != nil || got != promote.PermissionNone {
		g.Errorf("got %s, %v", got, err)
	}
}

func groups(g *ground) {
	const group = "acme/release"
	if g.kind.gitHub() {
		if err := g.dev.CreateTeam("acme", "release", mia); err != nil {
			g.Fatal(err)
		}
	} else {
		for name, level := range map[string]int{mia: levels[mia], bot: levels[bot]} { // GitLab shows groups to their members.
			if err := g.dev.AddGroupMember(group, name, level); err != nil {
				g.Fatal(err)
			}
		}
	}
	for name, want := range map[string]bool{mia: true, "@" + mia: true, wes: false, "nobody": false} {
		if got, err := g.InGroup(g.Context(), group, name); err != nil || got != want {
			g.Errorf("%s: %t, %v", name, got, err)
		}
	}
	in, err := g.InGroup(g.Context(), "acme/none", mia)
	if in || err != nil && !errors.Is(err, promote.ErrNotFound) || err == nil && g.kind == gitLab {
		g.Errorf("a group that is not there: %t, %v", in, err) // GitHub says the same of one without that member.
	}
}

func approvers(g *ground) {
	change, _ := g.opened()
	is := func(what string, want ...string) {
		g.Helper()
		given, err := g.Approvals(g.Context(), change.Number)
		got, _ := given.Of(change.Head)
		if err != nil || !slices.Equal(got, want) {
			g.Errorf("%s: approvers are %q, %v, want %q", what, got, err, want)
		}
	}
	is("at first")
	g.comment(g, lea, change.Number, "LGTM, approved")
	is("after a comment")
	who := g.people[lea].Name
	g.approve(g, lea, change.Number)
	is("after an approval", who)
	g.comment(g, lea, change.Number, "one more thing")
	is("after a comment on it", who)
	g.withdraw(g, lea, change.Number)
	is("after it was withdrawn")
	g.approve(g, lea, change.Number)
	is("after another approval", who)
}

func approvedHeads(g *ground) {
	for _, without := range []bool{false, true} { // GitLab did not always say when somebody approved
		if err := g.dev.Change(g.path, func(s *devforge.Settings) { s.KeepApprovals, s.NoApprovalTimes = true, without }); err != nil {
			g.Fatal(err)
		}
		change, p := g.opened()
		g.approve(g, lea, change.Number)
		moved := g.commit(bot, p.branch, "more-"+p.file, "a: 1\n")
		g.approve(g, mia, change.Number)
		given, err := g.Approvals(g.Context(), change.Number)
		if err != nil {
			g.Fatal(err)
		}
		for head, want := range map[promote.Commit]string{change.Head: lea, moved: mia} {
			if got, _ := given.Of(head); !slices.Equal(got, []string{g.people[want].Name}) {
				g.Errorf("%s is approved by %q, want %s of %+v", head.Short(), got, want, given)
			}
		}
	}
}
