"""The words of the document: business keys, types, states, operators."""

from __future__ import annotations

from collections.abc import Mapping

from postroom.v1 import audience_pb2, filter_pb2

# The seed's check list, in its order.
BIZ_KEYS = (
    "EVENT_NOTICE", "SIGNUP", "SIGNIN", "PASSWORD_FORGET", "PASSWORD_UPDATE", "SIGN_CANCEL", "MODIFY_EMAIL",
    "BIND_EMAIL", "PAY_PASSWORD_UPDATE", "REALNAME_AUTH_SUBMIT", "REALNAME_AUTH_PASSED",
    "REALNAME_AUDIT_FAILURE", "SYS_EXCEPTION_NOTICE", "SYS_RECOVERY_NOTICE", "SYS_SECURITY_NOTICE",
    "LICENSE_SENT", "CHANNEL_TEST", "TODO_REALNAME_AUTH", "TODO_BUSINESS_CONSULTATION",
    "TODO_OFFLINE_SERVICE", "TODO_WORKORDER", "TODO_TRANSFER_CONFIRM", "TODO_INVOICE_CONFIRM",
    "TODO_WITHDRAW_CONFIRM", "RECHARGE_SUCCESS", "WITHDRAW_SUCCESS", "ORDER_PAY_SUCCESS",
    "ORDER_PAY_PENDING", "ORDER_PAY_TIMEOUT", "ORDER_TO_EXPIRE", "ORDER_CHANGE_SUCCESS",
    "WORKORDER_REPLY_REMINDER", "INVOICE_APPLY_SUCCESS", "COUPON_DISTRIBUTION", "COUPON_TO_EXPIRE",
    "BLOG_SUBSCRIPTION_NOTICE", "TESTING_EXEC_STARTED", "TESTING_EXEC_FINISHED", "TESTING_EXEC_FAILED",
    "TESTING_TASK_OVERDUE", "INDICATOR_MODIFY_SUBMIT", "INDICATOR_AUDIT_PASSED", "INDICATOR_AUDIT_FAILED",
)  # fmt: skip
# The seed's list call names two that no mail can have.
LISTED_BIZ_KEYS = (*BIZ_KEYS, "MODIFY_MOBILE", "BIND_MOBILE")

EMAIL_TYPES = ("TEMPLATE", "CUSTOM")
SEND_STATUSES = ("PENDING", "SUCCESS", "FAILURE")
INFO_SCOPES = ("BASIC", "DETAIL")
ORDER_SORTS = ("ASC", "DESC")

RECEIVE_OBJECT_TYPES: Mapping[str, audience_pb2.AudienceType] = {
    "TENANT": audience_pb2.AUDIENCE_TYPE_TENANT,
    "DEPT": audience_pb2.AUDIENCE_TYPE_DEPT,
    "GROUP": audience_pb2.AUDIENCE_TYPE_GROUP,
    "USER": audience_pb2.AUDIENCE_TYPE_USER,
    "POLICY": audience_pb2.AUDIENCE_TYPE_POLICY,
    "TO_POLICY": audience_pb2.AUDIENCE_TYPE_TO_POLICY,
    "ALL": audience_pb2.AUDIENCE_TYPE_ALL,
}

# MATCH is "contains"; MATCH_END is a prefix: its wildcard is at the end.
OPERATORS: Mapping[str, filter_pb2.FilterOperator] = {
    "GREATER_THAN": filter_pb2.FILTER_OPERATOR_GREATER_THAN,
    "LESS_THAN": filter_pb2.FILTER_OPERATOR_LESS_THAN,
    "GREATER_THAN_EQUAL": filter_pb2.FILTER_OPERATOR_GREATER_THAN_EQUAL,
    "LESS_THAN_EQUAL": filter_pb2.FILTER_OPERATOR_LESS_THAN_EQUAL,
    "EQUAL": filter_pb2.FILTER_OPERATOR_EQUAL,
    "NOT_EQUAL": filter_pb2.FILTER_OPERATOR_NOT_EQUAL,
    "MATCH": filter_pb2.FILTER_OPERATOR_CONTAINS,
    "MATCH_END": filter_pb2.FILTER_OPERATOR_STARTS_WITH,
    "NOT_MATCH": filter_pb2.FILTER_OPERATOR_NOT_CONTAINS,
    "NOT_MATCH_END": filter_pb2.FILTER_OPERATOR_NOT_STARTS_WITH,
    "IN": filter_pb2.FILTER_OPERATOR_IN,
    "NOT_IN": filter_pb2.FILTER_OPERATOR_NOT_IN,
    "IS_NULL": filter_pb2.FILTER_OPERATOR_IS_NULL,
    "IS_NOT_NULL": filter_pb2.FILTER_OPERATOR_IS_NOT_NULL,
}

# "Message" enums of answers, in Chinese and English. The email's language is one, too (languages.py).
SEND_STATUS_TEXTS: Mapping[str, tuple[str, str]] = {
    "PENDING": ("待发送", "Pending"),
    "SUCCESS": ("成功", "Success"),
    "FAILURE": ("失败", "Failure"),
}
