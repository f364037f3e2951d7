"""The PUT, by `requests` and one session, as its documentation advises; or by HubSpot's SDK.

put(from_type, from_id, to_type, to_id) returns HubSpot's status and its answer as text.
"""

import json

import requests
from django.conf import settings

if settings.PEER == "sdk":
    from hubspot import HubSpot
    from hubspot.crm.associations.v4 import ApiException

    client = HubSpot(access_token=settings.HUBSPOT_TOKEN, host=settings.HUBSPOT_URL)

    def put(*ends):
        try:
            answer = client.crm.associations.v4.basic_api.create_default(*ends)
        except ApiException as error:
            return error.status, error.body
        return 200, json.dumps(answer.to_dict(), default=str)

else:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {settings.HUBSPOT_TOKEN}"

    def put(from_type, from_id, to_type, to_id):
        path = f"/crm/v4/objects/{from_type}/{from_id}/associations/default/{to_type}/{to_id}"
        try:
            answer = session.put(settings.HUBSPOT_URL + path, timeout=10)
        except requests.RequestException as error:
            return None, str(error)
        return answer.status_code, answer.text
