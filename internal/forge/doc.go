// Package forge is what adapters of forges share, and nothing of any one forge: what they keep of an exchange, how they read a
// refusal and judge whether a request is worth sending again, how they check webhooks, and how they shorten texts.
//
// It knows no API. Which texts, statuses and headers of a forge mean what stands in tables of its adapter.
package forge
