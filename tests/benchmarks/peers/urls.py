from django.urls import path

from tests.benchmarks.peers import views

urlpatterns = [
    path("", views.link, name="link"),
    path("requests/", views.my_requests, name="my_requests"),
    path("requests/<int:pk>/", views.answer, name="answer"),
]
