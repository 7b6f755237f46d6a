package github

import "github.com/lockkeeper/lockkeeper/promote"

func gates(state promote.StatusState) promote.PostStatus {
	return promote.PostStatus{
		Change: 7, Head: head, Branch: "lockkeeper/develop/dev",
		Status: promote.Status{Name: promote.StatusName, State: state, Description: "2 of 7 gates pass", URL: "https://lockkeeper.example.com"},
	}
}
