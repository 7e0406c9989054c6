package vexatest

import "net/http"

// Which scopes open a route: any one of them is enough.
var (
	needBot     = []string{"bot"}
	needTx      = []string{"tx"}
	needEither  = []string{"bot", "tx"}
	needBrowser = []string{"bot", "browser"} // 0.10's /bots
	needNone    []string                     // any good key
)

// clientRoute is one route of the gateway for people's clients: what it needs, and who answers it.
type clientRoute struct {
	method, pattern string
	scopes          []string
	to              Part
	real            func(*Server, *call, validated) answer // nil for what the Admin API answers itself
}

const (
	get_    = http.MethodGet
	post_   = http.MethodPost
	put_    = http.MethodPut
	patch_  = http.MethodPatch
	delete_ = http.MethodDelete
)

// routes012 is the table of 0.12, which refuses what it does not declare. In the order of registration: a 405 names the method
// of the first.
var routes012 = []clientRoute{
	{get_, "/bots", needBot, MeetingAPI, (*Server).listBots},
	{post_, "/bots", needBot, MeetingAPI, (*Server).createBot},
	{get_, "/bots/status", needBot, MeetingAPI, (*Server).botsStatus},
	{delete_, "/bots/{platform}/{native_meeting_id}", needBot, MeetingAPI, (*Server).stopBot},
	{put_, "/bots/{platform}/{native_meeting_id}/config", needBot, MeetingAPI, (*Server).commandBot},
	{post_, "/bots/{platform}/{native_meeting_id}/speak", needBot, MeetingAPI, (*Server).commandBot},
	{get_, "/bots/{platform}/{native_meeting_id}/chat", needBot, MeetingAPI, (*Server).botChat},
	{get_, "/meetings", needTx, MeetingAPI, (*Server).listMeetings},
	{post_, "/meetings", needTx, MeetingAPI, (*Server).planMeeting},
	{get_, "/meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).showMeeting},
	{patch_, "/meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).changeMeeting},
	{delete_, "/meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).deleteMeeting},
	{patch_, "/meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).changeMeeting},
	{delete_, "/meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).deleteMeeting},
	{put_, "/meetings/{platform}/{native_meeting_id}/intent", needTx, MeetingAPI, (*Server).changeMeeting},
	{post_, "/meetings/{platform}/{native_meeting_id}/share", needTx, MeetingAPI, (*Server).shareMeeting},
	{post_, "/meetings/{platform}/{native_meeting_id}/workspace", needTx, MeetingAPI, (*Server).changeMeeting},
	{get_, "/transcripts/by-id/{meeting_id:int}", needTx, MeetingAPI, (*Server).showTranscript},
	{get_, "/transcripts/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).showTranscript},
	{post_, "/transcripts/{platform}/{native_meeting_id}/share", needTx, MeetingAPI, (*Server).shareMeeting},
	{post_, "/transcripts/share/accept", needTx, MeetingAPI, (*Server).acceptShare},
	{get_, "/recordings", needEither, MeetingAPI, (*Server).listRecordings},
	{get_, "/recordings/{recording_id}", needEither, MeetingAPI, (*Server).showRecording},
	{delete_, "/recordings/{recording_id}", needBot, MeetingAPI, (*Server).deleteRecording},
	{get_, "/recordings/{recording_id}/master", needEither, MeetingAPI, (*Server).recordingMedia},
	{get_, "/recordings/{recording_id}/media/{media_id}/raw", needEither, MeetingAPI, (*Server).recordingMedia},
	{get_, "/recordings/{recording_id}/media/{media_id}/download", needEither, MeetingAPI, (*Server).recordingDownload},
	{get_, "/user/calendar", needBot, AdminAPI, nil},
	{put_, "/user/calendar", needBot, AdminAPI, nil},
	{get_, "/user/calendar/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{post_, "/user/calendar/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{get_, "/user/calendars", needBot, AdminAPI, nil},
	{post_, "/user/calendars", needBot, AdminAPI, nil},
	{patch_, "/user/calendars/{calendar_id}", needBot, AdminAPI, nil},
	{delete_, "/user/calendars/{calendar_id}", needBot, AdminAPI, nil},
	{get_, "/user/calendars/{calendar_id}/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{post_, "/user/calendars/{calendar_id}/sync", needBot, MeetingAPI, (*Server).calendarSync},
	{get_, "/user/webhook", needEither, AdminAPI, nil},
	{put_, "/user/webhook", needEither, AdminAPI, nil},
	{get_, "/user/webhook/deliveries", needEither, AdminAPI, nil},
	{get_, "/user/models", needEither, AdminAPI, nil},
	{put_, "/user/models", needEither, AdminAPI, nil},
	{get_, "/user/transcription", needEither, AdminAPI, nil},
	{put_, "/user/transcription", needEither, AdminAPI, nil},
}

// routes010 is the table of 0.10: much of it asks only for a good key.
var routes010 = []clientRoute{
	{get_, "/bots", needBrowser, MeetingAPI, (*Server).listBots},
	{post_, "/bots", needBrowser, MeetingAPI, (*Server).createBot},
	{get_, "/bots/status", needBrowser, MeetingAPI, (*Server).botsStatus},
	{delete_, "/bots/{platform}/{native_meeting_id}", needBrowser, MeetingAPI, (*Server).stopBot},
	{put_, "/bots/{platform}/{native_meeting_id}/config", needBrowser, MeetingAPI, (*Server).commandBot},
	{post_, "/bots/{platform}/{native_meeting_id}/speak", needBrowser, MeetingAPI, (*Server).commandBot},
	{post_, "/bots/{platform}/{native_meeting_id}/chat", needBrowser, MeetingAPI, (*Server).commandBot},
	{get_, "/bots/{platform}/{native_meeting_id}/chat", needBrowser, MeetingAPI, (*Server).botChat},
	{get_, "/meetings", needTx, MeetingAPI, (*Server).listMeetings},
	{get_, "/meetings/{meeting_id:int}", needTx, MeetingAPI, (*Server).showMeeting},
	{patch_, "/meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).changeMeeting},
	{delete_, "/meetings/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).deleteMeeting},
	{get_, "/transcripts/{platform}/{native_meeting_id}", needTx, MeetingAPI, (*Server).showTranscript},
	{post_, "/transcripts/{platform}/{native_meeting_id}/share", needNone, MeetingAPI, (*Server).shareMeeting},
	{get_, "/recordings", needNone, MeetingAPI, (*Server).listRecordings},
	{get_, "/recordings/{recording_id}", needNone, MeetingAPI, (*Server).showRecording},
	{delete_, "/recordings/{recording_id}", needNone, MeetingAPI, (*Server).deleteRecording},
	{get_, "/recordings/{recording_id}/media/{media_id}/raw", needNone, MeetingAPI, (*Server).recordingMedia},
	{get_, "/recordings/{recording_id}/media/{media_id}/download", needNone, MeetingAPI, (*Server).recordingDownload},
	{get_, "/recording-config", needNone, MeetingAPI, (*Server).recordingConfig},
	{get_, "/calendar/status", needNone, MeetingAPI, (*Server).calendarSync},
	{put_, "/user/webhook", needBot, AdminAPI, nil},
	{put_, "/user/workspace-git", needBot, AdminAPI, nil},
	{get_, "/api/sessions", needNone, AgentAPI, (*Server).agentSessions},
}
