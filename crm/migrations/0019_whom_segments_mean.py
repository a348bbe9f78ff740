from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0018_survey_invitations'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(condition=models.Q(('erased_at', None), ('is_placeholder', False), ('merged_into', None)), fields=['id'], name='crm_customer_people'),
        ),
    ]
