from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from tests.benchmarks.peers import hubspot
from tests.benchmarks.peers.models import LinkRequest


class LinkForm(forms.ModelForm):
    class Meta:
        model = LinkRequest
        fields = ["from_object_type", "from_object_id", "to_object_type", "to_object_id", "reason"]
        widgets = {"reason": forms.TextInput}


@login_required
def link(request):
    form = LinkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        entry = form.save(commit=False)
        entry.user = request.user
        entry.save()
        send(entry)
        return redirect("answer", entry.pk)
    return render(request, "peers/link.html", {"form": form})


def send(entry):
    entry.http_status, entry.answer = hubspot.put(
        entry.from_object_type, entry.from_object_id, entry.to_object_type, entry.to_object_id
    )
    is_linked = entry.http_status == 200
    entry.status = LinkRequest.Status.LINKED if is_linked else LinkRequest.Status.FAILED
    entry.finished_at = timezone.now()
    entry.save()


@login_required
def answer(request, pk):
    entry = get_object_or_404(LinkRequest, pk=pk, user=request.user)
    return render(request, "peers/answer.html", {"entry": entry})


@login_required
def my_requests(request):
    pages = Paginator(LinkRequest.objects.filter(user=request.user), 50)
    page = pages.get_page(request.GET.get("page"))
    return render(request, "peers/my_requests.html", {"page": page})
