"""Tables of the libraries in use: all of them are about staff or about nobody (`crm.privacy.registry`)."""

from crm.privacy.registry import Data, Fate, Table

STAFF = Fate.NOT_OF_CUSTOMERS

LIBRARY = (
    Table("account.EmailAddress", STAFF, {Data.CONTACT: "email", Data.TECHNICAL: "verified primary"}),
    Table("account.EmailConfirmation", STAFF, {Data.TECHNICAL: "created sent key"}),
    Table("mfa.Authenticator", STAFF, {Data.TECHNICAL: "type data created_at last_used_at"}),
    Table("sessions.Session", STAFF, {Data.TECHNICAL: "session_key session_data expire_date"}),
    Table("auth.Permission", STAFF, {Data.NONE: "name codename"}),
    Table("auth.Group", STAFF, {Data.NONE: "name"}),
    Table("contenttypes.ContentType", STAFF, {Data.NONE: "app_label model"}),
)
