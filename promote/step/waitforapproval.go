package step

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

type waitForApprovalConfig struct {
	Approvers []string `json:"approvers"` // user names, or "group:" and the path of a group
	Minimum   count    `json:"minimum"`
	Timeout   interval `json:"timeout"`
}

const groupPrefix = "group:"

// waitForApproval waits until enough different people have approved the freight for the stage. Whoever asked for the promotion
// is none of them.
func (r *run) waitForApproval(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg waitForApprovalConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	cfg.Minimum = max(cfg.Minimum, 1)
	var approved []string
	for _, approval := range r.Approvals {
		if sameName(approval.By, r.Promotion.Actor) || slices.ContainsFunc(approved, func(by string) bool { return sameName(by, approval.By) }) {
			continue
		}
		if approval.Claimed() && len(cfg.Approvers) > 0 {
			continue // whoever may start a job can call themselves one of the approvers
		}
		counts, err := r.mayApprove(ctx, cfg.Approvers, approval.By)
		if err != nil {
			return outcome{}, err
		}
		if counts {
			approved = append(approved, approval.By)
		}
	}
	if len(approved) >= int(cfg.Minimum) {
		output := map[string]any{"approvedBy": anys(approved)}
		return outcome{status: promote.StepSucceeded, output: output, message: "approved by " + strings.Join(approved, ", ")}, nil
	}
	if limit := cfg.Timeout.or(0); limit > 0 {
		left := limit - r.Now.Sub(r.since())
		if left <= 0 {
			return outcome{}, fmt.Errorf("not approved within %s: %s", limit, cfg.missing(r.Promotion, approved))
		}
		r.result.Next = left
	}
	return r.wait(promote.WaitsApproval, cfg.missing(r.Promotion, approved))
}

// mayApprove reports whether a person's approval counts: everybody's, unless approvers are named.
func (r *run) mayApprove(ctx context.Context, approvers []string, person string) (bool, error) {
	if len(approvers) == 0 {
		return true, nil
	}
	for _, approver := range approvers {
		group, isGroup := strings.CutPrefix(approver, groupPrefix)
		switch {
		case !isGroup && sameName(approver, person):
			return true, nil
		case !isGroup:
		case r.World.InGroup == nil:
			return false, notConfigured("forge with groups", "name the people in config.approvers instead of "+approver)
		default:
			belongs, err := r.World.InGroup(ctx, group, person)
			if err != nil {
				return false, technicalError{fmt.Errorf("members of group %q: %w", group, err)}
			}
			if belongs {
				return true, nil
			}
		}
	}
	return false, nil
}

// missing says whose approval is waited for, and how to give it.
func (cfg waitForApprovalConfig) missing(p promote.Promotion, approved []string) string {
	who, how := "somebody", "`/admit "+p.Stage.Name+"`"
	if len(cfg.Approvers) > 0 {
		who = "one of " + strings.Join(cfg.Approvers, ", ")
	}
	text := fmt.Sprintf("waits for approval by %s: comment %s on a change of the stage", who, how)
	if cfg.Minimum > 1 {
		text = fmt.Sprintf("waits for approval, %d of %d are there: comment %s as %s", len(approved), cfg.Minimum, how, who)
	}
	if len(approved) > 0 {
		text += " (approved by " + strings.Join(approved, ", ") + ")"
	}
	if p.Actor != "" && p.Actor != "auto-promotion" && p.Actor != promote.AutoRollbackActor {
		text += fmt.Sprintf("; %s asked for the promotion and does not count", p.Actor)
	}
	return text
}

// sameName compares the names of two people, as a forge does.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimPrefix(a, "@"), strings.TrimPrefix(b, "@"))
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}
