"""Slack's events in the shared vocabulary (Events API)."""

from jackfield_common.connector.webhook import EventMapping

_MESSAGE = EventMapping(
    canonical="message",
    occurrence={
        "project": "body:event.channel",
        "actor": "body:event.user",
        "description": "body:event.text",
        "number": "body:event.ts",
        "action": "body:event.subtype",
    },
)
_MEMBER = EventMapping(
    occurrence={"project": "body:event.channel", "actor": "body:event.user"},
)
_CHANNEL = EventMapping(
    occurrence={
        "project": "body:event.channel.id",
        "title": "body:event.channel.name",
        "actor": "body:event.channel.creator",
    }
)

EVENTS = {
    "message": _MESSAGE,
    "app_mention": _MESSAGE,
    "reaction_added": EventMapping(
        canonical="reaction",
        occurrence={
            "project": "body:event.item.channel",
            "actor": "body:event.user",
            "title": "body:event.reaction",
            "number": "body:event.item.ts",
        },
    ),
    "reaction_removed": EventMapping(
        canonical="reaction",
        occurrence={
            "project": "body:event.item.channel",
            "actor": "body:event.user",
            "title": "body:event.reaction",
            "number": "body:event.item.ts",
        },
    ),
    "member_joined_channel": _MEMBER,
    "member_left_channel": _MEMBER,
    "channel_created": _CHANNEL,
    "channel_rename": _CHANNEL,
    "channel_archive": _MEMBER,
    "channel_deleted": EventMapping(occurrence={"project": "body:event.channel"}),
    "file_shared": EventMapping(
        occurrence={
            "project": "body:event.channel_id",
            "actor": "body:event.user_id",
            "number": "body:event.file_id",
        }
    ),
    "app_home_opened": EventMapping(occurrence={"actor": "body:event.user"}),
    "app_uninstalled": EventMapping(),
    "tokens_revoked": EventMapping(),
    "team_join": EventMapping(occurrence={"actor": "body:event.user.id"}),
}
