package promote

import "fmt"

// MayDeliver says whether a merged promotion may touch an application: Pass when it exists in Argo CD and authorizes the stage,
// both as the repository declares it and as Argo CD has it; Wait when Argo CD does not show yet what is declared, or could not
// be asked; Block when the declaration refuses the stage. declared is what is known without Argo CD where that says anything.
//
// It is asked once more before anything is done, because a person may have merged against the application gate, and a promotion
// that changed nothing had no change to gate.
func MayDeliver(declared, live ApplicationEvidence, stage StageRef) (Verdict, string) {
	if verdict, reason := judgeApplication(declared, stage); verdict != Pass {
		return verdict, reason
	}
	if !live.Exists {
		return Wait, fmt.Sprintf("application %q does not exist in Argo CD yet", live.Name)
	}
	verdict, reason := judgeApplication(live, stage)
	return min(verdict, Wait), reason
}
