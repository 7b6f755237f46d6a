package devforge

import (
	"context"
	"slices"
	"strings"
)

// githubMayUseGit: a token is the password, whatever the user name. An installation needs the permission for contents.
func (f *Forge) githubMayUseGit(p *project, u *User, password string, write bool) bool {
	if t := f.appToken(password); t != nil {
		grant := "contents:read"
		if write {
			grant = "contents:write"
		}
		return t.reaches(f, p) && t.may(grant)
	}
	if write {
		return p.level(u) >= AccessDeveloper
	}
	return p.githubLevel(u) > 0
}

// githubRefusesPush is what GitHub's pre-receive hook would say, or empty. Rules of a branch bind a direct push as well: it has
// no review, and its commit no status yet, unless the status was reported before.
func (p *project) githubRefusesPush(f *Forge, u *User, commands pushCommands) string {
	for _, command := range commands.list {
		branch, isBranch := strings.CutPrefix(command.ref, headsPrefix)
		switch {
		case strings.HasPrefix(command.ref, p.repo.kept):
			return "deny updating a hidden ref"
		case strings.HasPrefix(branch, "gh-readonly-queue/"):
			return "error: GH013: Repository rule violations found for " + command.ref + "."
		case !isBranch:
			continue
		case !p.mayPush(u, branch):
			return "error: GH006: Protected branch update failed for " + command.ref + "."
		}
		if rules := p.GitHub.Protection[branch]; rules != nil && (p.level(u) < AccessOwner || rules.Admins) {
			if reason := f.directly(p, rules, command); reason != "" {
				return "error: GH006: Protected branch update failed for " + command.ref + ".\nerror: " + reason
			}
		}
		for _, set := range p.rulesetsOf(branch) {
			if reason := f.directly(p, &set.Rules, command); reason != "" && !f.passes(set, u) {
				return "error: GH013: Repository rule violations found for " + command.ref + ".\nerror: " + reason
			}
		}
	}
	return ""
}

// directly is what rules say to a push without a pull request.
func (f *Forge) directly(p *project, rules *BranchRules, command pushCommand) string {
	switch {
	case command.to == zeroID && rules.NoDeletion:
		return "Cannot delete this branch"
	case command.to == zeroID:
		return ""
	case rules.NoUpdate:
		return "Cannot update this protected ref."
	case command.from == zeroID:
		return ""
	case rules.Approvals > 0 || rules.Queue || len(rules.Methods) > 0:
		return "Changes must be made through a pull request."
	}
	return f.unmetOf(p, command.to, rules)
}

// rewrites takes a push back that throws commits of a branch away whose rules keep them, and is what GitHub says to it; empty when
// it does not. That can be seen only when git has the commits, and nobody was told of them yet.
func (f *Forge) rewrites(ctx context.Context, p *project, u *User, commands pushCommands) string {
	for _, command := range commands.list {
		branch, isBranch := strings.CutPrefix(command.ref, headsPrefix)
		if f.config.Dialect != GitHub || !isBranch || command.from == zeroID || command.to == zeroID || !f.keepsHistory(p, u, branch) {
			continue
		}
		if kept, err := p.repo.contains(ctx, command.to, command.from); err != nil || kept {
			continue
		}
		for _, moved := range commands.list {
			if err := p.repo.setRef(ctx, moved.ref, moved.from, moved.to); err != nil {
				f.log.InfoContext(ctx, "not pushed", "ref", moved.ref, "error", err)
			}
		}
		return "error: GH013: Repository rule violations found for " + command.ref + ".\nerror: Cannot force-push to this branch"
	}
	return ""
}

// keepsHistory reports whether a branch may not be pushed to by force by an account.
func (f *Forge) keepsHistory(p *project, u *User, branch string) bool {
	rules := p.GitHub.Protection[branch]
	return rules != nil && rules.NoRewrite && (p.level(u) < AccessOwner || rules.Admins) ||
		slices.ContainsFunc(p.rulesetsOf(branch), func(r *ruleset) bool { return r.Rules.NoRewrite && !f.passes(r, u) })
}

// afterPush announces a push and does what it has made possible.
func (f *Forge) afterPush(ctx context.Context, p *project, u *User) error {
	if err := f.announce(ctx, p, u); err != nil || f.config.Dialect != GitHub {
		return err
	}
	return f.progress(ctx, p)
}
